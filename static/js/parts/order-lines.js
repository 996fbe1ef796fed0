// The items of an order or a cart, and their sums.

import { html } from '../html.js';
import { money } from '../format.js';
import { picture } from './product-card.js';

/** @param more `(item) => markup`: more about an item, if anything */
export const orderLines = (items, more = () => null) => html`
  <ul class="order-lines">${items.map(item => html`
    <li>
      ${picture(item.image, 64)}
      <div>
        <a href=${`/products/${item.product_id}`}>${item.name}</a>
        <p class="soft">${item.quantity} × ${money(item.unit_price)}</p>
        ${more(item)}
      </div>
      <p class="amount">${money(item.line_total)}</p>
    </li>`)}
  </ul>`;

/** @param rows [[label, amount], …] */
export const sums = rows => html`
  <dl class="sums">${rows.map(([label, amount]) => html`
    <div class=${label === 'Total' || label === 'Subtotal' ? label.toLowerCase() : ''}><dt>${label}</dt><dd>${amount}</dd></div>`)}
  </dl>`;
