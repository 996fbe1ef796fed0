// The parts of an order's page that only show what the order says.

import { html } from '../../html.js';
import { date, day, instant, money } from '../../format.js';
import { card, ORDER_STATUS, PAYMENT_STATUS, SHIPMENT_STATUS, SHIPPING_SERVICE } from '../../labels.js';
import { notice } from '../../notices.js';
import { shop } from '../../shop.js';
import { addressLines } from '../address-fields.js';
import { orderLines, sums } from '../order-lines.js';

/** The statuses of an order without problems, in their order. */
const STEPS = ['confirmed', 'packed', 'shipped', 'delivered'];

export function thanks({ status }) {
  const text = status === 'pending' ? 'Your order is being processed. This page shows its status.' : 'Your order is placed. This page shows its status.';
  return notice(html`<p><strong>Thank you.</strong> ${text}</p>`, 'good');
}

/** What happened so far, and the steps that are still to come. */
export function timeline({ timeline: entries, status }) {
  const done = STEPS.indexOf(status);
  const ahead = done < 0 ? [] : STEPS.slice(done + 1);
  return html`
    <ol class="timeline">
      ${entries.map((entry, at) => entryOf(entry, entries[at - 1]?.status))}
      ${ahead.map(each => html`<li class="ahead">${ORDER_STATUS[each]}<span class="visually-hidden"> (still to come)</span></li>`)}
    </ol>`;
}

/** An entry that does not change the status, such as a return, is called by its note. */
function entryOf({ status, at, note }, before) {
  const isChange = status !== before || !note;
  return html`
    <li class="done">
      <strong>${isChange ? ORDER_STATUS[status] ?? status : note}</strong> <time datetime=${at}>${instant(at)}</time>
      ${isChange && note && html`<p class="soft">${note}</p>`}
    </li>`;
}

export function itemsPart({ items, subtotal, shipping_cost: delivery, shipping_service: service, total, returns }) {
  const refunds = returns.map(({ amount, at }) => [`Refunded on ${day(at)}`, `−${money(amount)}`]);
  return html`
    <h2 id="lines">Items</h2>
    ${orderLines(items, ({ returned }) => returned > 0 && html`<p class="soft">${returned} returned</p>`)}
    ${sums([['Subtotal', money(subtotal)], [`Delivery, ${SHIPPING_SERVICE[service].toLowerCase()}`, money(delivery)], ['Total', money(total)], ...refunds])}`;
}

export function parcelPart({ shipment }) {
  if (!shipment) return null;
  const { status, tracking_number: number, delivery_by: by, service } = shipment;
  return html`
    <h2>Parcel</h2>
    <p>${SHIPMENT_STATUS[status] ?? status}.${status !== 'cancelled' && ` ${SHIPPING_SERVICE[service]} delivery, expected by ${day(by)}.`}</p>
    <p><a href=${`/tracking/${number}`}>Track ${number}</a></p>
    ${shop.isOperator && html`<p><a href=${`/api/v1/shipments/${shipment.id}/label.svg`} target="_blank">Parcel label</a></p>`}`;
}

export function paymentPart({ payment }) {
  if (!payment) return null;
  const failed = payment.refunds.filter(({ status }) => status === 'failed');
  return html`
    <h2>Payment</h2>
    <p>${card(payment.method)}. ${PAYMENT_STATUS[payment.status] ?? payment.status}.</p>
    <dl class="sums">
      <div><dt>Charged</dt><dd>${money(payment.captured)}</dd></div>
      ${payment.refunded.amount > 0 && html`<div><dt>Refunded</dt><dd>${money(payment.refunded)}</dd></div>`}
    </dl>
    ${failed.map(({ amount }) => html`
      <p class="field-error">A refund of ${money(amount)} failed. The shop still has the money.</p>`)}`;
}

export const addressPart = ({ id, address, placed_at: at }) => html`
  <h2>Delivery address</h2>
  ${addressLines(address)}
  <p class="trace">Placed on ${date(at)}. ${id}</p>`;
