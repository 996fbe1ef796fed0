// Pages that are only for those who are signed in, or who run the shop.

import { html } from '../html.js';
import { plainView, reload } from '../router.js';
import { shop } from '../shop.js';
import { signInPanel } from './sign-in-panel.js';

/** The page, or the way in to it, in its place. */
export const forSignedIn = (title, page) => async visit => (shop.isSignedIn ? page(visit) : gateView(title));

export const gateView = title =>
  plainView(title, html`<p class="lead">Sign in to go on, or make an account.</p>${signInPanel(() => reload())}`);

export const forOperators = page => forSignedIn('Operator', async visit => (shop.isOperator
  ? page(visit)
  : plainView('Operator', html`<p class="lead">This page is for whoever runs the shop. You are signed in as a customer.</p>`)));
