// <cart-drawer>: the cart in a dialog at the side of the page. Opens from the header and after an
// item was added.

import { html, render } from '../../html.js';
import { get } from '../../api.js';
import { money } from '../../format.js';
import { problemNotice } from '../../notices.js';
import { shop } from '../../shop.js';
import { sums } from '../order-lines.js';
import { cartContents, checkOut } from './cart-contents.js';

class CartDrawer extends HTMLElement {
  #dialog;
  #place = html`<div></div>`.firstElementChild;
  #close = () => this.#dialog.close();

  /** @param message a sentence about the item that was added, if any */
  static open(message = null) {
    document.querySelector('cart-drawer')?.remove();
    const drawer = document.createElement('cart-drawer');
    drawer.#draw(message);
    document.body.append(drawer);
    drawer.#dialog.showModal();
    drawer.#dialog.querySelector('h2').focus();
    return drawer.#load();
  }

  #draw(message) {
    this.#dialog = html`
      <dialog class="drawer" aria-labelledby="drawer-title">
        <div class="heading-row">
          <h2 id="drawer-title" tabindex="-1">Your cart</h2>
          <button type="button" class="quiet" onclick=${this.#close}>Close</button>
        </div>
        ${message && html`<p class="notice good">${message}</p>`}
        ${this.#place}
      </dialog>`.firstElementChild;
    this.#dialog.addEventListener('close', () => this.remove());
    // A click on the backdrop has the dialog itself as its target.
    this.#dialog.addEventListener('click', event => event.target === this.#dialog && this.#close());
    this.append(this.#dialog);
  }

  connectedCallback() {
    addEventListener('page-shown', this.#close);
  }

  disconnectedCallback() {
    removeEventListener('page-shown', this.#close);
  }

  async #load() {
    try {
      const cart = await get('/cart');
      shop.setCart(cart);
      const contents = cartContents(cart, withSum);
      this.#place.replaceWith(contents);
      this.#place = contents;
    } catch (problem) {
      render(this.#place, problemNotice(problem, html`<button type="button" onclick=${() => this.#load()}>Try again</button>`));
    }
  }
}

const withSum = (lines, cart) => html`
  ${lines}
  ${sums([['Subtotal', money(cart.subtotal)]])}
  <p class="soft">Delivery is added at the checkout.</p>
  <div class="actions">${checkOut(cart)}<a class="button wide" href="/cart">Go to the cart</a></div>`;

customElements.define('cart-drawer', CartDrawer);
export const openCart = CartDrawer.open;
