// Creates the first operator's account. It works once, with the link that the shop prints at its
// first start.

import { html } from '../html.js';
import { openSession } from '../api.js';
import { field, submits } from '../forms.js';
import { navigate, plainView } from '../router.js';
import { passwordField } from '../parts/sign-in-panel.js';
import { shop } from '../shop.js';

export default function setup() {
  const token = location.hash.slice(1);
  if (!token) {
    return plainView('Set up the shop', html`<p class="lead">Open the complete link that the shop printed when it started. The part after # is the key.</p>`);
  }
  const redeem = async ({ name, email, password }) => {
    const user = await openSession('/setup', { token, name, email, password });
    await shop.change(user);
    // The key works once, and does not stay in the history.
    navigate('/operator', { replace: true });
  };
  const scope = 'setup';
  return plainView('Set up the shop', html`
    <p class="lead">Create the operator's account. The operator manages products, stock and orders.</p>
    <form class="panel" novalidate onsubmit=${submits(redeem)}>
      <div class="fields">
        ${field('name', 'Your name', { scope, required: true, maxlength: 100, autocomplete: 'name', wide: true })}
        ${field('email', 'E-mail', { scope, type: 'email', required: true, autocomplete: 'email', wide: true })}
        ${passwordField('password', 'Password', { scope, isNew: true })}
      </div>
      <button class="primary" type="submit">Create the account</button>
    </form>`);
}
