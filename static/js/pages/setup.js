// The first operator's account, made once with the link that the shop prints when it opens.

import { html } from '../html.js';
import { openSession } from '../api.js';
import { field, submits } from '../forms.js';
import { navigate, plainView } from '../router.js';
import { passwordField } from '../parts/sign-in-panel.js';
import { shop } from '../shop.js';

export default function setup() {
  const token = location.hash.slice(1);
  if (!token) {
    return plainView('Setting up the shop', html`<p class="lead">Open the whole link that the shop printed when it started: what stands behind the # in it is the key.</p>`);
  }
  const redeem = async ({ name, email, password }) => {
    const user = await openSession('/setup', { token, name, email, password });
    await shop.change(user);
    // The key was good once, and does not stay in the history.
    navigate('/operator', { replace: true });
  };
  const scope = 'setup';
  return plainView('Setting up the shop', html`
    <p class="lead">Make the account of whoever runs this shop.</p>
    <form class="panel" novalidate onsubmit=${submits(redeem)}>
      <div class="fields">
        ${field('name', 'Your name', { scope, required: true, maxlength: 100, autocomplete: 'name', wide: true })}
        ${field('email', 'E-mail', { scope, type: 'email', required: true, autocomplete: 'email', wide: true })}
        ${passwordField('password', 'Password', { scope, isNew: true })}
      </div>
      <button class="primary" type="submit">Make the operator's account</button>
    </form>`);
}
