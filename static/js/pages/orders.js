// One's own orders, newest first.

import { html } from '../html.js';
import { get, withQuery } from '../api.js';
import { date, money, plural, shortId } from '../format.js';
import { empty } from '../notices.js';
import { forSignedIn } from '../parts/gate.js';
import { picture } from '../parts/product-card.js';
import { statusBadge } from '../parts/status.js';

const PICTURES = 4;

export default forSignedIn('Your orders', async ({ query, signal }) => {
  const { items, next_cursor: next } = await get(withQuery('/orders', { cursor: query.cursor, limit: 12 }), { signal });
  const body = html`
    <h1>Your orders</h1>
    ${items.length ? orderList(items) : empty('You have not ordered anything yet.', html`<p><a class="button primary" href="/products">Look around</a></p>`)}
    <nav class="paging" aria-label="Pages">
      ${query.cursor && html`<a class="button" href="/orders">Newest</a>`}
      ${next && html`<a class="button" href=${withQuery('/orders', { cursor: next })}>Older</a>`}
    </nav>`;
  return { title: 'Your orders', body };
});

export const orderList = orders => html`<ul class="orders">${orders.map(order)}</ul>`;

const order = ({ id, status, items, total, placed_at: placedAt }) => html`
  <li>
    <div class="order-pictures" aria-hidden="true">${items.slice(0, PICTURES).map(({ image }) => picture(image, 56))}</div>
    <div>
      <a class="cover" href=${`/orders/${id}`}>Order ${shortId(id)}</a>
      <p class="soft">${date(placedAt)}, ${plural(items.reduce((pieces, { quantity }) => pieces + quantity, 0), 'piece')}</p>
    </div>
    ${statusBadge(status)}
    <p class="amount">${money(total)}</p>
  </li>`;
