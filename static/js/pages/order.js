// One order: how it stands, live, and what can still be done about it.

import { html, render } from '../html.js';
import { Attempt, get, post } from '../api.js';
import { date, day, instant, money, shortId } from '../format.js';
import { field, submits, valuesOf } from '../forms.js';
import { announce, degradedNotice, notice, problemNotice } from '../notices.js';
import { addressLines } from '../parts/address-fields.js';
import { confirmed } from '../parts/dialog.js';
import { forSignedIn } from '../parts/gate.js';
import { orderLines, sums } from '../parts/order-lines.js';
import { rowsOutline } from '../parts/outlines.js';
import { quantityStepper } from '../parts/quantity-stepper.js';
import { statusBadge } from '../parts/status.js';
import { shop } from '../shop.js';
import { card, ORDER_STATUS, PAYMENT_STATUS, reason, SHIPMENT_STATUS, SHIPPING_SERVICE } from '../labels.js';

const AT_REST = ['delivered', 'rejected', 'cancelled', 'returned'];
const CANCELLABLE = ['confirmed', 'packed'];
/** How an order stands while it is news that it was placed. */
const NEW = ['pending', 'confirmed'];
/** The way of an order that goes well. */
const WAY = ['confirmed', 'packed', 'shipped', 'delivered'];
const FOLLOW_AGAIN_MS = 3000;

export const outline = ({ params }) => rowsOutline(`Order ${shortId(params.id)}`);

export default forSignedIn('Order', async ({ params, state, signal }) => {
  const order = await get(`/orders/${encodeURIComponent(params.id)}`, { signal });
  const content = html`<div></div>`.firstElementChild;
  const page = { content, signal, wasJustPlaced: Boolean(state.placed), attempt: new Attempt() };
  draw(page, order);
  follow(page, order);
  const title = `Order ${shortId(order.id)}`;
  return { title, body: html`<nav class="crumbs" aria-label="Where you are"><a href="/orders">Your orders</a></nav><h1>${title}</h1>${content}` };
});

function draw(page, order, said = null) {
  const { items, subtotal, shipping_cost: delivery, total, returns } = order;
  const given = returns.map(({ amount, at }) => [`Given back on ${day(at)}`, `−${money(amount)}`]);
  render(page.content, html`
    ${said}
    ${page.wasJustPlaced && NEW.includes(order.status) && thanks(order)}
    ${degradedNotice(order.degraded)}
    <div class="with-aside">
      <div>
        <section class="panel" aria-labelledby="status">
          <h2 id="status">How it stands ${statusBadge(order.status)}</h2>
          ${order.reason && html`<p>${reason(order)}</p>`}
          ${order.in_progress && html`<p class="soft">Still being done: ${order.in_progress}</p>`}
          ${timeline(order)}
          ${actions(page, order)}
        </section>
        <section aria-labelledby="lines">
          <h2 id="lines">What is in it</h2>
          ${orderLines(items, ({ returned }) => returned > 0 && html`<p class="soft">${returned} sent back</p>`)}
          ${sums([['Subtotal', money(subtotal)], [`Delivery, ${SHIPPING_SERVICE[order.shipping_service].toLowerCase()}`, money(delivery)], ['Total', money(total)], ...given])}
          ${order.status === 'delivered' && returning(page, order)}
        </section>
      </div>
      <aside class="panel">
        ${parcel(order)}
        ${payment(order)}
        <h2>Where to</h2>
        ${addressLines(order.address)}
        <p class="trace">Placed on ${date(order.placed_at)}. ${order.id}</p>
      </aside>
    </div>`);
}

function thanks({ status }) {
  const words = status === 'pending' ? 'Your order is being placed; this page shows how it goes.' : 'Your order is placed. This page shows where it is.';
  return notice(html`<p><strong>Thank you.</strong> ${words}</p>`, 'good');
}

function timeline({ timeline: entries, status }) {
  const ahead = AT_REST.includes(status) || status === 'pending' ? [] : WAY.slice(WAY.indexOf(status) + 1);
  return html`
    <ol class="timeline">
      ${entries.map((entry, at) => entryOf(entry, entries[at - 1]?.status))}
      ${ahead.map(each => html`<li class="ahead">${ORDER_STATUS[each]}<span class="visually-hidden"> (still to come)</span></li>`)}
    </ol>`;
}

/** Something that happened and left the order as it stood, such as a return, is told by its note. */
function entryOf({ status, at, note }, before) {
  const isChange = status !== before || !note;
  return html`
    <li class="done">
      <strong>${isChange ? ORDER_STATUS[status] ?? status : note}</strong> <time datetime=${at}>${instant(at)}</time>
      ${isChange && note && html`<p class="soft">${note}</p>`}
    </li>`;
}

function actions(page, order) {
  if (!CANCELLABLE.includes(order.status)) return null;
  const cancel = async () => {
    const words = 'The money goes back to the card, and the things back on the shelf.';
    if (!await confirmed({ title: 'Cancel this order?', words, yes: 'Yes, cancel it' })) return;
    try {
      const cancelled = await post(`/orders/${order.id}/cancel`);
      draw(page, cancelled);
      announce('The order is cancelled.');
    } catch (problem) {
      draw(page, order, problemNotice(problem));
    }
  };
  return html`<div class="actions"><button type="button" id="cancel" onclick=${cancel}>Cancel the order</button></div>`;
}

function parcel({ shipment }) {
  if (!shipment) return null;
  const { status, tracking_number: number, delivery_by: by, service } = shipment;
  return html`
    <h2>The parcel</h2>
    <p>${SHIPMENT_STATUS[status] ?? status}.${status !== 'cancelled' && ` ${SHIPPING_SERVICE[service]} delivery, promised by ${day(by)}.`}</p>
    <p><a href=${`/tracking/${number}`}>Track ${number}</a></p>
    ${shop.isOperator && html`<p><a href=${`/api/v1/shipments/${shipment.id}/label.svg`} target="_blank">The parcel's label</a></p>`}`;
}

function payment({ payment: paid }) {
  if (!paid) return null;
  const failed = paid.refunds.filter(({ status }) => status === 'failed');
  return html`
    <h2>The payment</h2>
    <p>${card(paid.method)}. ${PAYMENT_STATUS[paid.status] ?? paid.status}.</p>
    <dl class="sums">
      <div><dt>Charged</dt><dd>${money(paid.captured)}</dd></div>
      ${paid.refunded.amount > 0 && html`<div><dt>Given back</dt><dd>${money(paid.refunded)}</dd></div>`}
    </dl>
    ${failed.map(({ amount }) => html`
      <p class="field-error">A refund of ${money(amount)} did not reach the card. The money is with the shop.</p>`)}`;
}

function returning(page, order) {
  const left = order.items.filter(({ quantity, returned }) => returned < quantity);
  if (!left.length) return null;
  const giveBack = async (_, form) => {
    const values = valuesOf(form);
    const lines = left.map(({ product_id }) => ({ product_id, quantity: Number(values[product_id]) })).filter(({ quantity }) => quantity > 0);
    if (!lines.length) throw { detail: 'Say how many pieces of something go back.' };
    const body = { lines, reason: values.reason };
    const refund = await post(`/orders/${order.id}/returns`, body, { key: page.attempt.keyFor(body) });
    page.attempt.settle();
    const words = `${money(refund.amount)} goes back to the card.`;
    draw(page, await get(`/orders/${order.id}`), notice(html`<p>${words}</p>`, 'good'));
    announce(words);
  };
  return html`
    <details class="panel returning">
      <summary>Send something back</summary>
      <form novalidate onsubmit=${submits(giveBack)}>
        <ul class="return-lines">${left.map(({ product_id: id, name, quantity, returned }) => html`
          <li><span>${name}</span> ${quantityStepper({ id: `return-${id}`, name: id, label: `Pieces of ${name} to send back`, value: 0, least: 0, most: quantity - returned })}</li>`)}
        </ul>
        ${field('reason', 'Why?', { scope: 'return', required: true, maxlength: 200, wide: true })}
        <button class="primary" type="submit">Send it back</button>
      </form>
    </details>`;
}

/** Listens until the order is at rest. Each event is an entry of the timeline, counted from 1. */
function follow(page, order) {
  if (AT_REST.includes(order.status) || page.signal.aborted) return;
  let known = order.timeline.length;
  const events = new EventSource(`/api/v1/orders/${order.id}/events`);
  page.signal.addEventListener('abort', () => events.close(), { once: true });
  events.addEventListener('status', async ({ data, lastEventId }) => {
    const { status } = JSON.parse(data);
    if (AT_REST.includes(status)) events.close();
    if (Number(lastEventId) <= known) return;
    known = Number(lastEventId);
    announce(`The order: ${ORDER_STATUS[status] ?? status}.`);
    const now = await get(`/orders/${order.id}`, { signal: page.signal }).catch(() => null);
    if (now && !page.signal.aborted) draw(page, now);
    shop.countUnread().catch(() => {});
  });
  events.addEventListener('error', () => {
    // The browser comes back by itself, but not after a no, such as to a session that has run out.
    if (events.readyState === EventSource.CLOSED) comeBack(page, order, known);
  });
}

/** Looks how the order stands now, which renews a session that has run out, and listens again from there. */
function comeBack(page, order, known) {
  setTimeout(async () => {
    if (page.signal.aborted) return;
    try {
      const now = await get(`/orders/${order.id}`, { signal: page.signal });
      if (now.timeline.length > known) draw(page, now);
      follow(page, now);
    } catch ({ status }) {
      // Away or too busy: it will be back. Anything else is a no for good.
      if (status === 0 || status === 429 || status >= 500) comeBack(page, order, known);
    }
  }, FOLLOW_AGAIN_MS);
}
