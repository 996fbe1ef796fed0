// <sign-in-panel>: signs in or registers in place. Says `signed-in` when it is done.

import { html, render } from '../html.js';
import { openSession } from '../api.js';
import { choice, field, submits } from '../forms.js';
import { announce } from '../notices.js';
import { shop } from '../shop.js';
import { guestShopper } from './guest-shopper.js';

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
    const mode = (isNew, words) =>
      choice('mode', words, { scope: 'sign-in', type: 'radio', value: isNew ? 'new' : 'known', checked: this.#isNew === isNew, onchange: pick(isNew) });
    render(this, html`
      <form class="panel" novalidate onsubmit=${submits(values => this.#submit(values))}>
        <fieldset class="modes">
          <legend class="visually-hidden">Do you have an account?</legend>
          ${mode(false, 'I have an account')}
          ${mode(true, 'I am new here')}
        </fieldset>
        <div class="fields">
          ${this.#isNew && field('name', 'Your name', { scope: 'sign-in', required: true, maxlength: 100, autocomplete: 'name', wide: true })}
          ${field('email', 'E-mail', { scope: 'sign-in', type: 'email', required: true, autocomplete: 'email', value: this.#email, wide: true })}
          ${passwordField('password', 'Password', { scope: 'sign-in', isNew: this.#isNew })}
        </div>
        <button class="primary" type="submit">${this.#isNew ? 'Make the account' : 'Sign in'}</button>
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

/** @param isNew whether the password is made up here, so that it has rules and is offered to be kept */
export const passwordField = (name, label, { scope, isNew }) => field(name, label, {
  scope,
  type: 'password',
  required: true,
  wide: true,
  autocomplete: isNew ? 'new-password' : 'current-password',
  ...(isNew && { minlength: 12, maxlength: 128, hint: 'At least 12 characters, and not one of the commonest.' }),
});

/**
 * In a dialog, over a page that stays as it is.
 * @returns {Promise<object|null>} who is signed in from then on; `null` where nobody is
 */
export function signInAgain(words) {
  const panel = document.createElement('sign-in-panel');
  const dialog = html`
    <dialog aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">Sign in</h2>
      <p>${words}</p>
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
 * The ways in: with an account, a new one, or as a guest shopper.
 * @param onSignedIn called when somebody is signed in
 */
export function signInPanel(onSignedIn) {
  const panel = document.createElement('sign-in-panel');
  panel.addEventListener('signed-in', onSignedIn);
  return html`<div class="ways-in">${guestShopper(onSignedIn)}${panel}</div>`;
}
