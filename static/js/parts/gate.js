// Pages for signed-in customers only, or for operators only.

import { html } from '../html.js';
import { plainView, reload } from '../router.js';
import { shop } from '../shop.js';
import { signInPanel } from './sign-in-panel.js';

/** Shows the sign-in form in place of the page to a guest. */
export const forSignedIn = (title, page) => async visit => (shop.isSignedIn ? page(visit) : gateView(title));

export const gateView = title =>
  plainView(title, html`<p class="lead">Sign in or create an account to continue.</p>${signInPanel(() => reload())}`);

export const forOperators = page => forSignedIn('Operator', async visit => (shop.isOperator
  ? page(visit)
  : plainView('Operator', html`<p class="lead">This page is only for the shop's operators. You are signed in as a customer.</p>`)));
