// The cart.

import { html } from '../html.js';
import { get } from '../api.js';
import { money } from '../format.js';
import { cartContents, checkOut } from '../parts/cart/cart-contents.js';
import { sums } from '../parts/order-lines.js';
import { rowsOutline } from '../parts/outlines.js';
import { shop } from '../shop.js';

export const outline = () => rowsOutline('Your cart', 2);

export default async function cartPage({ signal }) {
  const cart = await get('/cart', { signal });
  shop.setCart(cart);
  return { title: 'Cart', body: html`<h1>Your cart</h1>${cartContents(cart, withSum)}` };
}

const withSum = (lines, cart) => html`
  <div class="with-aside">
    <section aria-label="Items">${lines}</section>
    <aside class="panel summary" aria-labelledby="sum">
      <h2 id="sum">Summary</h2>
      ${sums([['Items', cart.item_count], ['Subtotal', money(cart.subtotal)]])}
      <p class="soft">Delivery is calculated at the checkout. It depends on the address.</p>
      ${checkOut(cart)}
    </aside>
  </div>`;
