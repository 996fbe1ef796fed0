// A guest shopper: an account that is made up on the spot, for whoever wants to try the shop and not to type.

import { html, render } from '../html.js';
import { Attempt, openSession, post } from '../api.js';
import { whileBusy } from '../forms.js';
import { announce, problemNotice } from '../notices.js';
import { shop } from '../shop.js';

const NAMES = ['Ada Lovelace', 'Grace Hopper', 'Emmy Noether', 'Lise Meitner', 'Hedy Lamarr', 'Sophie Germain', 'Mary Somerville', 'Maria Mitchell'];
const ADDRESS = { line1: 'Unter den Linden 6', postal_code: '10117', city: 'Berlin', country: 'DE' };
/** The sandbox takes it; it belongs to nobody. */
const CARD = { number: '4242424242424242', exp_month: 12, cvc: '123' };

const WORDS = 'A name, an address in Berlin and a test card are filled in for you. It is a throwaway account: nobody is charged, nothing is sent.';

/**
 * In a panel, as one of the ways to sign in.
 * @param onSignedIn called when the account is made and filled in
 */
export const guestShopper = onSignedIn => html`
  <section class="panel guest-shopper" aria-labelledby="guest-shopper">
    <h2 id="guest-shopper">Only trying it?</h2>
    <p>${WORDS}</p>
    ${guestButton(onSignedIn, 'primary')}
  </section>`;

/** The same among other things. */
export const guestOffer = onSignedIn => html`<div class="guest-offer">${guestButton(onSignedIn)}<p class="soft">${WORDS}</p></div>`;

function guestButton(onSignedIn, kind = '') {
  const guest = new Guest();
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const make = async ({ currentTarget }) => {
    render(outcome);
    await whileBusy(currentTarget.parentElement, async () => {
      try {
        await guest.make();
        announce(`You are signed in as ${guest.name}, with an address and a test card.`);
        onSignedIn();
      } catch (problem) {
        // What was made stays made: trying again goes on from there.
        const goOn = guest.isSignedIn && html`<button type="button" onclick=${onSignedIn}>Go on and fill it in myself</button>`;
        render(outcome, problemNotice(problem, goOn));
      }
    });
  };
  return html`<div><button class=${kind} type="button" onclick=${make}>Try it as a guest shopper</button></div>${outcome}`;
}

class Guest {
  name = NAMES[random(1)[0] % NAMES.length];
  #user = null;
  #address = new Attempt();
  #card = new Attempt();

  get isSignedIn() {
    return this.#user !== null;
  }

  /** Can be called again where it failed: each part is made once. */
  async make() {
    if (!this.#user) {
      const [email, password] = [`guest-${letters(12)}@example.com`, letters(32)];
      this.#user = await openSession('/users', { name: this.name, email, password });
      await shop.change(this.#user);
    }
    const address = { name: this.name, ...ADDRESS };
    await post('/users/me/addresses', address, { key: this.#address.keyFor(address) });
    const body = { card: { ...CARD, exp_year: new Date().getFullYear() + 3, name: this.name } };
    await post('/users/me/payment_methods', body, { key: this.#card.keyFor(body) });
  }
}

function random(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

const letters = count => Array.from(random(count), byte => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('');
