// <sign-in-panel>: signs in or creates an account. Sends `signed-in` when it is done.

import { html, render } from '../html.js';
import { openSession } from '../api.js';
import { choice, field, submits } from '../forms.js';
import { announce } from '../notices.js';
import { shop } from '../shop.js';
import { guestPanel } from './guest-shopper.js';

class SignInPanel extends HTMLElement {
  #isNew = false;
  #email = '';

  connectedCallback() {
    if (!this.firstChild) this.#draw();
  }

  #draw() {
    const pick = isNew => () => {
      this.#email = this.querySelector('[name=email]').value;
      this.#isNew = isNew;
      this.#draw();
    };
    const mode = (isNew, label) =>
      choice('mode', label, { scope: 'sign-in', type: 'radio', value: isNew ? 'new' : 'known', checked: this.#isNew === isNew, onchange: pick(isNew) });
    render(this, html`
      <form class="panel" novalidate onsubmit=${submits(values => this.#submit(values))}>
        <fieldset class="modes">
          <legend class="visually-hidden">Do you have an account?</legend>
          ${mode(false, 'I have an account')}
          ${mode(true, 'I am a new customer')}
        </fieldset>
        <div class="fields">
          ${this.#isNew && field('name', 'Your name', { scope: 'sign-in', required: true, maxlength: 100, autocomplete: 'name', wide: true })}
          ${field('email', 'E-mail', { scope: 'sign-in', type: 'email', required: true, autocomplete: 'email', value: this.#email, wide: true })}
          ${passwordField('password', 'Password', { scope: 'sign-in', isNew: this.#isNew })}
        </div>
        <button class="primary" type="submit">${this.#isNew ? 'Create account' : 'Sign in'}</button>
      </form>`);
  }

  async #submit({ name, email, password }) {
    const user = this.#isNew
      ? await openSession('/users', { name, email, password })
      : await openSession('/sessions', { email, password });
    await shop.change(user);
    announce(`You are signed in as ${user.name}.`);
    this.dispatchEvent(new Event('signed-in'));
  }
}

/**
 * @param isNew whether it is a new password: then its rules are shown, and browsers offer to save
 *   it
 */
export const passwordField = (name, label, { scope, isNew }) => field(name, label, {
  scope,
  type: 'password',
  required: true,
  wide: true,
  autocomplete: isNew ? 'new-password' : 'current-password',
  ...(isNew && { minlength: 12, maxlength: 128, hint: 'At least 12 characters. Common passwords are refused.' }),
});

/**
 * Opens the form in a dialog. The page below keeps its content.
 * @returns {Promise<object|null>} the user who signed in; `null` if the dialog was closed
 */
export function signInAgain(text) {
  const panel = document.createElement('sign-in-panel');
  const dialog = html`
    <dialog aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">Sign in</h2>
      <p>${text}</p>
      ${panel}
      <button type="button" class="quiet" onclick=${() => dialog.close()}>Not now</button>
    </dialog>`.firstElementChild;
  panel.addEventListener('signed-in', () => dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(shop.user);
    });
  });
}

customElements.define('sign-in-panel', SignInPanel);

/**
 * The three ways to sign in: with an account, with a new account, or as a guest shopper.
 * @param onSignedIn called after signing in
 */
export function signInPanel(onSignedIn) {
  const panel = document.createElement('sign-in-panel');
  panel.addEventListener('signed-in', onSignedIn);
  return html`<div class="ways-in">${guestPanel(onSignedIn)}${panel}</div>`;
}
