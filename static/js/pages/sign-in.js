// Signs in or creates an account.

import { html } from '../html.js';
import { navigate, plainView } from '../router.js';
import { signInPanel } from '../parts/sign-in-panel.js';
import { shop } from '../shop.js';

export default () => plainView(
  'Sign in',
  shop.isSignedIn
    ? html`<p class="lead">You are signed in${shop.user && ` as ${shop.user.name}`}.</p><p><a class="button" href="/account">Go to your account</a></p>`
    : html`<p class="lead">The items in your cart stay there.</p>${signInPanel(() => navigate('/account', { replace: true }))}`,
);
