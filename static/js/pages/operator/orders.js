// All customers' orders, newest first, to pack, to ship, and to put right.

import { html } from '../../html.js';
import { get, withQuery } from '../../api.js';
import { announce, empty } from '../../notices.js';
import { plural } from '../../format.js';
import { deskOutline, deskPage } from '../../parts/operator/desk.js';
import { orderRow } from '../../parts/operator/order-row.js';
import { knownStatus, statusFilter } from '../../parts/status.js';
import { reload } from '../../router.js';
import { ORDER_STATUS } from '../../labels.js';

const PAGE = 24;

export const outline = deskOutline('Orders');

export default deskPage(async ({ path, query, signal }) => {
  const { cursor } = query;
  const status = knownStatus(query.status);
  const { items, next_cursor: next } = await get(withQuery('/orders', { all: 'true', status, cursor, limit: PAGE }), { signal });
  const body = html`
    <div class="heading-row">
      <h1>Orders</h1>
      <button type="button" id="look-again" onclick=${() => reload()}>Look again</button>
    </div>
    ${statusFilter(path, status)}
    ${items.length ? html`<ul class="work">${items.map(order => orderRow(order, signal))}</ul>` : nothing(path, status, cursor)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${withQuery(path, { status })}>Newest</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { status, cursor: next })}>Older</a>`}
    </nav>`;
  announce(items.length ? `${plural(items.length, 'order')} on this page` : 'No such orders');
  return { title: 'Orders', body };
});

function nothing(path, status, cursor) {
  if (cursor) return empty('There are no older ones.');
  if (!status) return empty('Nobody has ordered anything yet.');
  return empty(`No order is “${ORDER_STATUS[status]}” just now.`, html`<p><a class="button" href=${path}>See all orders</a></p>`);
}
