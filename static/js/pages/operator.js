// For whoever runs the shop: orders to pack and ship, and the stock.

import { html, render } from '../html.js';
import { get, post, put, withQuery } from '../api.js';
import { moment, money, plural, shortId } from '../format.js';
import { submits } from '../forms.js';
import { announce, empty, problemNotice } from '../notices.js';
import { addressLines } from '../parts/address-fields.js';
import { forOperators } from '../parts/gate.js';
import { orderLines } from '../parts/order-lines.js';
import { statusBadge } from '../parts/status.js';
import { reload } from '../router.js';
import { ORDER_STATUS } from '../words.js';

/** What is to be done with an order that stands so. */
const NEXT = { confirmed: ['packed', 'Pack'], packed: ['shipped', 'Ship'] };

export default forOperators(async ({ path, query, signal }) => {
  const { status, cursor, q, after } = query;
  const [orders, products] = await Promise.all([
    get(withQuery('/orders', { all: 'true', status, cursor, limit: 20 }), { signal }),
    get(withQuery('/products', { q, sort: q ? '' : 'name', cursor: after, limit: 20 }), { signal }),
  ]);
  const to = changes => withQuery(path, { status, cursor, q, after, ...changes });
  const body = html`
    <div class="heading-row">
      <h1>Operator</h1>
      <button type="button" id="look-again" onclick=${() => reload()}>Look again</button>
    </div>
    <section aria-labelledby="orders">
      <h2 id="orders">Orders</h2>
      <form method="get" action=${path} class="filters-row">
        <label for="status">Show</label>
        <select id="status" name="status" onchange=${event => event.currentTarget.form.requestSubmit()}>
          <option value="">All orders</option>
          ${Object.entries(ORDER_STATUS).map(([each, words]) => html`<option value=${each} selected=${each === status}>${words}</option>`)}
        </select>
      </form>
      ${orders.items.length ? html`<ul class="work">${orders.items.map(order => orderRow(order, signal))}</ul>` : empty('There are no such orders.')}
      <nav class="paging" aria-label="Pages of orders">
        ${cursor && html`<a class="button" href=${to({ cursor: null })}>Newest</a>`}
        ${orders.next_cursor && html`<a class="button" href=${to({ cursor: orders.next_cursor })}>Older</a>`}
      </nav>
    </section>
    <section aria-labelledby="stock">
      <h2 id="stock">Stock</h2>
      <form method="get" action=${path} class="filters-row" role="search" aria-label="Stock">
        <label for="stock-search">Find a product</label>
        <span class="joined"><input id="stock-search" type="search" name="q" value=${q ?? ''} maxlength="100"><button type="submit">Find</button></span>
      </form>
      ${products.items.length ? html`<ul class="work stock">${products.items.map(stockRow)}</ul>` : empty('There are no such products.')}
      <nav class="paging" aria-label="Pages of products">
        ${after && html`<a class="button" href=${to({ after: null })}>First page</a>`}
        ${products.next_cursor && html`<a class="button" href=${to({ after: products.next_cursor })}>Next page</a>`}
      </nav>
    </section>`;
  return { title: 'Operator', body };
});

function orderRow(order, signal) {
  const row = html`<li></li>`.firstElementChild;
  drawOrder(row, order, signal);
  return row;
}

function drawOrder(row, order, signal, problem = null) {
  const { id, status, items, total, placed_at: at, address } = order;
  const [to, words] = NEXT[status] ?? [];
  const name = `order ${shortId(id)}`;
  const fulfil = async () => {
    try {
      const changed = await post(`/orders/${id}/fulfil`, { to });
      drawOrder(row, changed, signal);
      announce(`The ${name}: ${ORDER_STATUS[changed.status]}.`);
    } catch (refused) {
      drawOrder(row, order, signal, refused);
    }
  };
  const content = html`<div></div>`.firstElementChild;
  const isOpen = row.querySelector('details')?.open ?? false;
  const more = html`<details><summary id=${`more-${id}`}>Address, lines and label</summary>${content}</details>`.firstElementChild;
  more.addEventListener('toggle', () => more.open && drawDetails(content, id, signal));
  render(row, html`
    <div class="work-row">
      <div><a href=${`/orders/${id}`}>Order ${shortId(id)}</a> <p class="soft">${moment(at)}, ${address.name}, ${plural(items.length, 'line')}</p></div>
      ${statusBadge(status)}
      <p class="amount">${money(total)}</p>
      ${to && html`<button type="button" class="primary" id=${`fulfil-${id}`} aria-label=${`${words} ${name}`} onclick=${fulfil}>${words}</button>`}
    </div>
    ${problem && problemNotice(problem)}
    ${more}`);
  more.open = isOpen;
}

/** The list knows an order, not its parcel: that is asked for when somebody looks. */
async function drawDetails(content, id, signal) {
  try {
    const { shipment, items, address } = await get(`/orders/${id}`, { signal });
    render(content, html`
      ${addressLines(address)}
      ${orderLines(items)}
      ${shipment
    ? html`<p><a href=${`/api/v1/shipments/${shipment.id}/label.svg`} target="_blank">Label ${shipment.tracking_number}</a></p>`
    : html`<p class="soft">There is no parcel for it.</p>`}`);
  } catch (problem) {
    if (!signal.aborted) render(content, problemNotice(problem));
  }
}

function stockRow({ id, slug, name, stock }) {
  const level = html`<p class="soft" role="status">${stock.available} to sell</p>`.firstElementChild;
  const adjust = async (values, form) => {
    const now = await put(`/products/${id}/stock`, { adjust_by: Number(values.adjust_by) });
    level.textContent = `${now.available} to sell, ${now.on_hand} in the warehouse, ${now.reserved} promised`;
    form.reset();
  };
  return html`
    <li>
      <div class="work-row">
        <div><a href=${`/products/${slug}`}>${name}</a> ${level}</div>
        <form class="adjust" novalidate onsubmit=${submits(adjust)}>
          <label class="visually-hidden" for=${`adjust-${id}`}>Pieces of ${name} that came (or, with a minus, went)</label>
          <span class="joined">
            <input id=${`adjust-${id}`} name="adjust_by" type="number" step="1" required placeholder="±" aria-describedby=${`adjust-${id}-error`}>
            <button type="submit">Adjust</button>
          </span>
          <p class="field-error" id=${`adjust-${id}-error`} hidden></p>
        </form>
      </div>
    </li>`;
}
