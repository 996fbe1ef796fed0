// One order.

import { html } from '../html.js';
import { get } from '../api.js';
import { shortId } from '../format.js';
import { forSignedIn } from '../parts/gate.js';
import { orderView } from '../parts/order/order-view.js';
import { rowsOutline } from '../parts/outlines.js';

const titleOf = id => `Order ${shortId(id)}`;

export const outline = ({ params }) => rowsOutline(titleOf(params.id));

export default forSignedIn('Order', async ({ params, state, signal }) => {
  const order = await get(`/orders/${encodeURIComponent(params.id)}`, { signal });
  const title = titleOf(order.id);
  const body = html`
    <nav class="crumbs" aria-label="Breadcrumb"><a href="/orders">Your orders</a></nav>
    <h1>${title}</h1>
    ${orderView(order, { wasJustPlaced: Boolean(state.placed) })}`;
  return { title, body };
});
