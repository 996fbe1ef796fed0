// The cart.

import { html } from '../html.js';
import { get } from '../api.js';
import { money } from '../format.js';
import { checkOut, showCart } from '../parts/cart-lines.js';
import { sums } from '../parts/order-lines.js';
import { rowsOutline } from '../parts/outlines.js';
import { shop } from '../shop.js';

export const outline = () => rowsOutline('Your cart', 2);

export default async function cartPage({ signal }) {
  const cart = await get('/cart', { signal });
  shop.setCart(cart);
  const content = html`<div class="cart-content"></div>`.firstElementChild;
  showCart(content, cart, withSum);
  return { title: 'Cart', body: html`<h1>Your cart</h1>${content}` };
}

const withSum = (lines, cart) => html`
  <div class="with-aside">
    <section aria-label="What is in it">${lines}</section>
    <aside class="panel summary" aria-labelledby="sum">
      <h2 id="sum">In all</h2>
      ${sums([['Pieces', cart.item_count], ['Subtotal', money(cart.subtotal)]])}
      <p class="soft">Delivery is added at the checkout: it depends on where it goes.</p>
      ${checkOut(cart)}
    </aside>
  </div>`;
