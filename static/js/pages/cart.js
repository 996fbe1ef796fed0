// The cart.

import { html, render } from '../html.js';
import { get, put, remove } from '../api.js';
import { money, plural } from '../format.js';
import { announce, empty, problemNotice } from '../notices.js';
import { picture } from '../parts/product-card.js';
import { sums } from '../parts/order-lines.js';
import { quantityStepper } from '../parts/quantity-stepper.js';
import { shop } from '../shop.js';

export default async function cartPage({ signal }) {
  const cart = await get('/cart', { signal });
  shop.setCart(cart);
  const content = html`<div class="cart-content"></div>`.firstElementChild;
  draw(content, cart);
  return { title: 'Cart', body: html`<h1>Your cart</h1>${content}` };
}

function draw(content, cart, problem = null) {
  const said = problem && problemNotice(problem);
  if (cart.items.length === 0) {
    render(content, said, empty('There is nothing in it yet.', html`<p><a class="button primary" href="/products">Look around</a></p>`));
    return;
  }
  const isOrderable = cart.items.every(item => item.available >= item.quantity);
  render(content, said, html`
    <div class="with-aside">
      <ul class="cart-lines">${cart.items.map(item => line(content, cart, item))}</ul>
      <aside class="panel summary" aria-labelledby="sum">
        <h2 id="sum">In all</h2>
        ${sums([['Pieces', cart.item_count], ['Subtotal', money(cart.subtotal)]])}
        <p class="soft">Delivery is added at the checkout: it depends on where it goes.</p>
        ${isOrderable
    ? html`<a class="button primary wide" href="/checkout">Check out</a>`
    : html`<p class="field-error">There are not enough pieces of something in your cart. Take fewer of it to check out.</p>`}
      </aside>
    </div>`);
}

function line(content, cart, item) {
  const set = quantity => change(content, cart, item, quantity);
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
        <h2><a href=${`/products/${item.product_id}`}>${item.name}</a></h2>
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

async function change(content, cart, item, quantity) {
  content.setAttribute('aria-busy', 'true');
  try {
    const path = `/cart/items/${item.product_id}`;
    const changed = quantity === 0 ? await remove(path) : await put(path, { quantity });
    shop.setCart(changed);
    draw(content, changed);
    const what = quantity === 0 ? `${item.name} is out of your cart` : `${item.name}: ${plural(quantity, 'piece')}`;
    announce(`${what}. Subtotal ${money(changed.subtotal)}.`);
    // What was clicked is gone.
    if (quantity === 0) document.querySelector('h1').focus();
  } catch (problem) {
    draw(content, cart, problem);
  } finally {
    content.removeAttribute('aria-busy');
  }
}
