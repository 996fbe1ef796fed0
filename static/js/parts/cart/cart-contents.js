// <cart-contents>: the items of the cart, which the customer changes in place: on the cart's page
// and in the drawer.

import { html, render } from '../../html.js';
import { put, remove } from '../../api.js';
import { money, plural } from '../../format.js';
import { announce, empty, problemNotice } from '../../notices.js';
import { shop } from '../../shop.js';
import { picture } from '../product-card.js';
import { quantityStepper } from '../quantity-stepper.js';

class CartContents extends HTMLElement {
  #cart;
  #layout;

  /** @param layout `(lines, cart) => markup`: what stands around the items */
  static of(cart, layout) {
    const contents = document.createElement('cart-contents');
    contents.#cart = cart;
    contents.#layout = layout;
    contents.#draw();
    return contents;
  }

  #draw(problem = null) {
    const { items } = this.#cart;
    const message = problem && problemNotice(problem);
    if (items.length === 0) {
      render(this, message, empty('Your cart is empty.', html`<p><a class="button primary" href="/products">See all products</a></p>`));
      return;
    }
    const lines = html`<ul class="cart-lines">${items.map(item => line(item, quantity => this.#set(item, quantity)))}</ul>`;
    render(this, message, this.#layout(lines, this.#cart));
  }

  async #set(item, quantity) {
    this.setAttribute('aria-busy', 'true');
    try {
      const path = `/cart/items/${item.product_id}`;
      this.#cart = quantity === 0 ? await remove(path) : await put(path, { quantity });
      shop.setCart(this.#cart);
      this.#draw();
      const change = quantity === 0 ? `${item.name} was removed from your cart` : `${item.name}: ${plural(quantity, 'item')}`;
      announce(`${change}. Subtotal ${money(this.#cart.subtotal)}.`);
      // The button that had the focus does not exist any more.
      if (quantity === 0) this.parentElement.querySelector('h1, h2').focus();
    } catch (problem) {
      this.#draw(problem);
    } finally {
      this.removeAttribute('aria-busy');
    }
  }
}

function line(item, set) {
  const stepper = quantityStepper({
    id: `quantity-${item.product_id}`,
    label: `Quantity of ${item.name}`,
    value: item.quantity,
    most: Math.max(item.available, item.quantity),
  });
  stepper.addEventListener('change', () => set(stepper.value));
  return html`
    <li>
      <a class="thumbnail" href=${`/products/${item.product_id}`} tabindex="-1" aria-hidden="true">${picture(item.image, 96)}</a>
      <div class="cart-words">
        <p class="cart-name"><a href=${`/products/${item.product_id}`}>${item.name}</a></p>
        <p class="soft">${money(item.unit_price)} each</p>
        ${shortage(item, set)}
      </div>
      ${stepper}
      <p class="amount">${money(item.line_total)}</p>
      <button type="button" class="quiet" aria-label=${`Remove ${item.name}`} onclick=${() => set(0)}>Remove</button>
    </li>`;
}

function shortage({ available, quantity }, set) {
  if (available >= quantity) return null;
  if (available === 0) return html`<p class="field-error">This product is sold out.</p>`;
  return html`<p class="field-error">Only ${available} left. <button type="button" class="quiet" onclick=${() => set(available)}>Change to ${available}</button></p>`;
}

/** The link to the checkout, or the reason why there is none. */
export const checkOut = ({ items }) => (items.every(({ available, quantity }) => available >= quantity)
  ? html`<a class="button primary wide" href="/checkout">Check out</a>`
  : html`<p class="field-error">Your cart contains more than is in stock. Reduce the quantity to check out.</p>`);

customElements.define('cart-contents', CartContents);
export const cartContents = CartContents.of;
