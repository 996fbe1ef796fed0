// All customers' orders, newest first, to pack, ship, refund and cancel.

import { html } from '../../html.js';
import { get, withQuery } from '../../api.js';
import { announce, empty } from '../../notices.js';
import { plural } from '../../format.js';
import { operatorOutline, operatorPage } from '../../parts/operator/operator-page.js';
import { orderRow } from '../../parts/operator/order-row.js';
import { knownStatus, statusFilter } from '../../parts/status.js';
import { reload } from '../../router.js';
import { ORDER_STATUS } from '../../labels.js';

const PAGE_SIZE = 24;

export const outline = operatorOutline('Orders');

export default operatorPage(async ({ path, query, signal }) => {
  const { cursor } = query;
  const status = knownStatus(query.status);
  const { items, next_cursor: next } = await get(withQuery('/orders', { all: 'true', status, cursor, limit: PAGE_SIZE }), { signal });
  const body = html`
    <div class="heading-row">
      <h1>Orders</h1>
      <button type="button" id="refresh" onclick=${() => reload()}>Refresh</button>
    </div>
    ${statusFilter(path, status)}
    ${items.length ? html`<ul class="work">${items.map(order => html`<li>${orderRow(order, signal)}</li>`)}</ul>` : nothing(path, status, cursor)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${withQuery(path, { status })}>Newest</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { status, cursor: next })}>Older</a>`}
    </nav>`;
  announce(items.length ? `${plural(items.length, 'order')} on this page` : 'No orders found');
  return { title: 'Orders', body };
});

function nothing(path, status, cursor) {
  if (cursor) return empty('There are no older orders.');
  if (!status) return empty('There are no orders yet.');
  return empty(`No orders with the status “${ORDER_STATUS[status]}”.`, html`<p><a class="button" href=${path}>See all orders</a></p>`);
}
