// <guest-shopper>: creates a demonstration account with an address and a test card by one click.
// Sends `signed-in`.

import { html, render } from '../html.js';
import { Attempt, openSession, post } from '../api.js';
import { whileBusy } from '../forms.js';
import { announce, problemNotice } from '../notices.js';
import { shop } from '../shop.js';

const NAMES = ['Ada Lovelace', 'Grace Hopper', 'Emmy Noether', 'Lise Meitner', 'Hedy Lamarr', 'Sophie Germain', 'Mary Somerville', 'Maria Mitchell'];
const ADDRESS = { line1: 'Unter den Linden 6', postal_code: '10117', city: 'Berlin', country: 'DE' };
/** A test card, which belongs to no person. */
const CARD = { number: '4242424242424242', exp_month: 12, cvc: '123' };

const EXPLANATION = 'The shop creates a temporary account with a name, an address in Berlin and a test card. Nothing is charged and nothing is shipped.';

class GuestShopper extends HTMLElement {
  #name = NAMES[random(1)[0] % NAMES.length];
  #user = null;
  #address = new Attempt();
  #card = new Attempt();
  #outcome = html`<div class="outcome"></div>`.firstElementChild;

  /** @param kind the class of the button */
  static of(onSignedIn, kind = '') {
    const guest = document.createElement('guest-shopper');
    guest.addEventListener('signed-in', onSignedIn);
    guest.append(html`
      <div><button class=${kind} type="button" onclick=${event => guest.#pressed(event)}>Try it as a guest shopper</button></div>
      ${guest.#outcome}`);
    return guest;
  }

  #pressed({ currentTarget }) {
    render(this.#outcome);
    return whileBusy(currentTarget.parentElement, async () => {
      try {
        await this.#create();
        announce(`You are signed in as ${this.#name}, with an address and a test card.`);
        this.#done();
      } catch (problem) {
        // The account may exist already; then the customer can continue without the address and the
        // card.
        const skip = this.#user && html`<button type="button" onclick=${() => this.#done()}>Continue without address and card</button>`;
        render(this.#outcome, problemNotice(problem, skip));
      }
    });
  }

  #done() {
    this.dispatchEvent(new Event('signed-in'));
  }

  /** Can be called again after a failure: each part is created once. */
  async #create() {
    if (!this.#user) {
      const [email, password] = [`guest-${letters(12)}@example.com`, letters(32)];
      this.#user = await openSession('/users', { name: this.#name, email, password });
      await shop.change(this.#user);
    }
    const address = { name: this.#name, ...ADDRESS };
    await post('/users/me/addresses', address, { key: this.#address.keyFor(address) });
    const body = { card: { ...CARD, exp_year: new Date().getFullYear() + 3, name: this.#name } };
    await post('/users/me/payment_methods', body, { key: this.#card.keyFor(body) });
  }
}

function random(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

const letters = count => Array.from(random(count), byte => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('');

customElements.define('guest-shopper', GuestShopper);

/** In a panel beside the other ways to sign in. */
export const guestPanel = onSignedIn => html`
  <section class="panel guest-shopper" aria-labelledby="guest-shopper">
    <h2 id="guest-shopper">Just trying the shop?</h2>
    <p>${EXPLANATION}</p>
    ${GuestShopper.of(onSignedIn, 'primary')}
  </section>`;

/** Within other content. */
export const guestOffer = onSignedIn => html`<div class="guest-offer">${GuestShopper.of(onSignedIn)}<p class="soft">${EXPLANATION}</p></div>`;
