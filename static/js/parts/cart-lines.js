// What is in the cart, to be changed in place: on its page, and in the drawer.

import { html, render } from '../html.js';
import { put, remove } from '../api.js';
import { money, plural } from '../format.js';
import { announce, empty, problemNotice } from '../notices.js';
import { shop } from '../shop.js';
import { picture } from './product-card.js';
import { quantityStepper } from './quantity-stepper.js';

/**
 * Shows the cart in that place, and what becomes of it.
 * @param around `(lines, cart) => contents`: what stands around its lines
 */
export function showCart(place, cart, around, problem = null) {
  const said = problem && problemNotice(problem);
  if (cart.items.length === 0) {
    render(place, said, empty('There is nothing in it yet.', html`<p><a class="button primary" href="/products">Look around</a></p>`));
    return;
  }
  const set = (item, quantity) => change(place, cart, around, item, quantity);
  const lines = html`<ul class="cart-lines">${cart.items.map(item => line(item, quantity => set(item, quantity)))}</ul>`;
  render(place, said, around(lines, cart));
}

/** The way on, or why there is none. */
export const checkOut = ({ items }) => (items.every(({ available, quantity }) => available >= quantity)
  ? html`<a class="button primary wide" href="/checkout">Check out</a>`
  : html`<p class="field-error">There are not enough pieces of something in your cart. Take fewer of it to check out.</p>`);

function line(item, set) {
  const stepper = quantityStepper({
    id: `quantity-${item.product_id}`,
    label: `Pieces of ${item.name}`,
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
  if (available === 0) return html`<p class="field-error">It is sold out.</p>`;
  return html`<p class="field-error">Only ${available} left. <button type="button" class="quiet" onclick=${() => set(available)}>Take ${available}</button></p>`;
}

async function change(place, cart, around, item, quantity) {
  place.setAttribute('aria-busy', 'true');
  try {
    const path = `/cart/items/${item.product_id}`;
    const changed = quantity === 0 ? await remove(path) : await put(path, { quantity });
    shop.setCart(changed);
    showCart(place, changed, around);
    const what = quantity === 0 ? `${item.name} is out of your cart` : `${item.name}: ${plural(quantity, 'piece')}`;
    announce(`${what}. Subtotal ${money(changed.subtotal)}.`);
    // What was clicked is gone.
    if (quantity === 0) place.parentElement.querySelector('h1, h2').focus();
  } catch (problem) {
    showCart(place, cart, around, problem);
  } finally {
    place.removeAttribute('aria-busy');
  }
}
