// An order on the desk: one row, and all that can be done about it. It changes in place.

import { html, render } from '../../html.js';
import { get, post } from '../../api.js';
import { moment, money, plural, shortId } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { announce, problemNotice } from '../../notices.js';
import { ORDER_STATUS } from '../../labels.js';
import { confirmed } from '../dialog.js';
import { labelDialog } from './label.js';
import { refundDialog } from './refund.js';
import { statusBadge } from '../status.js';

/** What comes next for an order that stands so. */
const NEXT = { confirmed: ['packed', 'Pack'], packed: ['shipped', 'Ship'] };
const CANCELLABLE = ['confirmed', 'packed'];
const HAS_LABEL = ['confirmed', 'packed', 'shipped'];
const IS_PAID = ['confirmed', 'packed', 'shipped', 'delivered', 'returned'];

export function orderRow(order, signal) {
  const row = html`<li></li>`.firstElementChild;
  draw({ row, order, signal });
  return row;
}

function draw(desk, said = null) {
  const { row, order } = desk;
  const { id, status, items, total, placed_at: at, address, in_progress: inProgress } = order;
  const hadFocus = row.contains(document.activeElement);
  render(row, html`
    <div class="work-row">
      <div>
        <a id=${`order-${id}`} href=${`/orders/${id}`}>Order ${shortId(id)}</a>
        <p class="soft">${moment(at)}, ${address.name}, ${plural(items.reduce((pieces, { quantity }) => pieces + quantity, 0), 'piece')}</p>
        ${inProgress && html`<p class="soft">Still being done: ${inProgress}</p>`}
      </div>
      ${statusBadge(status)}
      <p class="amount">${money(total)}</p>
      <div class="deeds">${deeds(desk)}</div>
    </div>
    ${said}`);
  // What was pressed may be no longer there to be pressed.
  if (hadFocus && !row.contains(document.activeElement)) document.getElementById(`order-${id}`).focus();
}

function deeds(desk) {
  const { id, status } = desk.order;
  const deed = (which, words, work, kind = '') => {
    const pressed = event => {
      // The second half of a double click was not meant for what stands there by then.
      if (event.detail < 2) act(desk, work);
    };
    return html`<button type="button" class=${kind} id=${`${which}-${id}`} aria-label=${`${words}: order ${shortId(id)}`} onclick=${pressed}>${words}</button>`;
  };
  const [to, next] = NEXT[status] ?? [];
  return [
    to && deed(to, next, () => fulfil(desk, to), 'primary'),
    HAS_LABEL.includes(status) && deed('label', 'Label', () => showLabel(desk), 'quiet'),
    IS_PAID.includes(status) && deed('refund', 'Refund', () => refund(desk), 'quiet'),
    CANCELLABLE.includes(status) && deed('cancel', 'Cancel', () => cancel(desk), 'quiet'),
  ];
}

/** Does it and shows how the order stands then, and what came of it: `work` answers with words to say, or with nothing. */
function act(desk, work) {
  return whileBusy(desk.row, async () => {
    let said = null;
    try {
      const words = await work();
      said = words && html`<p class="soft">${words}</p>`;
      if (words) announce(words);
    } catch (problem) {
      said = await refused(desk, problem);
    }
    if (!desk.signal.aborted) draw(desk, said);
  });
}

/** Somebody else may have done something about it: read anew, it shows what. */
async function refused(desk, problem) {
  const before = desk.order.status;
  await lookAgain(desk).catch(() => {});
  const { status } = desk.order;
  if (problem.status !== 409 || status === before) return problemNotice(problem);
  const words = `Somebody was there before you: the order is ${inWords(status)} now.`;
  return html`<div class="notice bad" role="alert"><p>${words}</p></div>`;
}

async function lookAgain(desk) {
  desk.order = await get(`/orders/${desk.order.id}`, { signal: desk.signal });
  return desk.order;
}

const inWords = status => `“${ORDER_STATUS[status] ?? status}”`;

async function fulfil(desk, to) {
  const { id } = desk.order;
  desk.order = await post(`/orders/${id}/fulfil`, { to });
  const { status } = desk.order;
  // The shop takes a step that was taken already for done.
  const words = status === to ? `It is ${inWords(status)} now.` : `Somebody was there before you: it is ${inWords(status)} now.`;
  return `Order ${shortId(id)}: ${words}`;
}

async function cancel(desk) {
  const { id } = desk.order;
  const name = `order ${shortId(id)}`;
  const words = 'The money goes back to the card, and the things back on the shelf.';
  if (!await confirmed({ title: `Cancel ${name}?`, words, yes: 'Yes, cancel it' })) return null;
  desk.order = await post(`/orders/${id}/cancel`);
  return desk.order.status === 'cancelled' ? `Cancelled ${name}.` : `The ${name} is being cancelled.`;
}

async function refund(desk) {
  const { id, payment } = await lookAgain(desk);
  if (!payment) throw { status: 503, detail: 'The payments are away at the moment. Try again soon.' };
  const given = await refundDialog({ name: `order ${shortId(id)}`, payment, signal: desk.signal });
  if (!given) return null;
  await lookAgain(desk).catch(() => {});
  return given.status === 'failed'
    ? `The refund of ${money(given.amount)} did not reach the card. The money is with the shop.`
    : `${money(given.amount)} of order ${shortId(id)} goes back to the card.`;
}

async function showLabel(desk) {
  const { shipment, degraded } = await lookAgain(desk);
  if (shipment) await labelDialog({ shipment, signal: desk.signal });
  else throw { status: 503, detail: degraded.includes('shipment') ? 'The parcels are away at the moment. Try again soon.' : 'There is no parcel for it.' };
}
