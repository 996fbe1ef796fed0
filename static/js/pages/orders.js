// The customer's orders, newest first.

import { html } from '../html.js';
import { get, withQuery } from '../api.js';
import { date, money, plural, shortId } from '../format.js';
import { announce, empty } from '../notices.js';
import { forSignedIn } from '../parts/gate.js';
import { rowsOutline } from '../parts/outlines.js';
import { picture } from '../parts/product-card.js';
import { knownStatus, statusBadge, statusFilter } from '../parts/status.js';
import { ORDER_STATUS } from '../labels.js';

const PICTURES = 4;
const PAGE_SIZE = 12;

export const outline = () => rowsOutline('Your orders');

export default forSignedIn('Your orders', async ({ path, query, signal }) => {
  const { cursor } = query;
  const status = knownStatus(query.status);
  const { items, next_cursor: next } = await get(withQuery('/orders', { status, cursor, limit: PAGE_SIZE }), { signal });
  const body = html`
    <h1>Your orders</h1>
    ${(items.length > 0 || status || cursor) && statusFilter(path, status)}
    ${items.length ? orderList(items) : nothing(path, status, cursor)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${withQuery(path, { status })}>Newest</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { status, cursor: next })}>Older</a>`}
    </nav>`;
  if (status) announce(`${plural(items.length, 'order')} on this page`);
  return { title: 'Your orders', body };
});

function nothing(path, status, cursor) {
  if (cursor) return empty('There are no older orders.');
  if (status) return empty(`You have no orders with the status “${ORDER_STATUS[status]}”.`, html`<p><a class="button" href=${path}>See all orders</a></p>`);
  return empty('You have not ordered anything yet.', html`<p><a class="button primary" href="/products">See all products</a></p>`);
}

export const orderList = orders => html`<ul class="orders">${orders.map(order)}</ul>`;

const order = ({ id, status, items, total, placed_at: placedAt }) => html`
  <li>
    <div class="order-pictures" aria-hidden="true">${items.slice(0, PICTURES).map(({ image }) => picture(image, 56))}</div>
    <div>
      <a class="cover" href=${`/orders/${id}`}>Order ${shortId(id)}</a>
      <p class="soft">${date(placedAt)}, ${plural(items.reduce((sum, { quantity }) => sum + quantity, 0), 'item')}</p>
    </div>
    ${statusBadge(status)}
    <p class="amount">${money(total)}</p>
  </li>`;
