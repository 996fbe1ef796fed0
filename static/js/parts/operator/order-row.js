// <order-row>: one order for the operator: packs, ships, refunds or cancels it, and shows its
// parcel's label.

import { html, render } from '../../html.js';
import { get, post } from '../../api.js';
import { moment, money, plural, shortId } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { ORDER_STATUS } from '../../labels.js';
import { announce, problemNotice } from '../../notices.js';
import { confirmed } from '../dialog.js';
import { statusBadge } from '../status.js';
import { labelDialog } from './label.js';
import { refundDialog } from './refund.js';

/** The next step of an order with this status. */
const NEXT = { confirmed: ['packed', 'Pack'], packed: ['shipped', 'Ship'] };
const CANCELLABLE = ['confirmed', 'packed'];
const HAS_LABEL = ['confirmed', 'packed', 'shipped'];
const IS_PAID = ['confirmed', 'packed', 'shipped', 'delivered', 'returned'];

class OrderRow extends HTMLElement {
  #order;
  #signal;

  /** @param signal is aborted when the page is left */
  static of(order, signal) {
    const row = document.createElement('order-row');
    row.#order = order;
    row.#signal = signal;
    row.#draw();
    return row;
  }

  get #name() {
    return `order ${shortId(this.#order.id)}`;
  }

  #draw(message = null) {
    const { id, status, items, total, placed_at: at, address, in_progress: inProgress } = this.#order;
    const hadFocus = this.contains(document.activeElement);
    render(this, html`
      <div class="work-row">
        <div>
          <a id=${`order-${id}`} href=${`/orders/${id}`}>Order ${shortId(id)}</a>
          <p class="soft">${moment(at)}, ${address.name}, ${plural(items.reduce((sum, { quantity }) => sum + quantity, 0), 'item')}</p>
          ${inProgress && html`<p class="soft">In progress: ${inProgress}</p>`}
        </div>
        ${statusBadge(status)}
        <p class="amount">${money(total)}</p>
        <div class="deeds">${this.#actions()}</div>
      </div>
      ${message}`);
    // The button that had the focus may not exist any more.
    if (hadFocus && !this.contains(document.activeElement)) document.getElementById(`order-${id}`).focus();
  }

  #actions() {
    const { status } = this.#order;
    const [to, label] = NEXT[status] ?? [];
    return [
      to && this.#button(to, label, () => this.#fulfil(to), 'primary'),
      HAS_LABEL.includes(status) && this.#button('label', 'Label', () => this.#showLabel(), 'quiet'),
      IS_PAID.includes(status) && this.#button('refund', 'Refund', () => this.#refund(), 'quiet'),
      CANCELLABLE.includes(status) && this.#button('cancel', 'Cancel', () => this.#cancel(), 'quiet'),
    ];
  }

  #button(action, label, work, kind) {
    const pressed = event => {
      // The second click of a double click is ignored: the button may have changed after the first.
      if (event.detail < 2) this.#run(work);
    };
    return html`<button type="button" class=${kind} id=${`${action}-${this.#order.id}`} aria-label=${`${label}: ${this.#name}`} onclick=${pressed}>${label}</button>`;
  }

  /**
   * Runs an action, then shows the order and the action's result: `work` returns a sentence, or
   * nothing.
   */
  #run(work) {
    return whileBusy(this, async () => {
      let message = null;
      try {
        const text = await work();
        message = text && html`<p class="soft">${text}</p>`;
        if (text) announce(text);
      } catch (problem) {
        message = await this.#refused(problem);
      }
      if (!this.#signal.aborted) this.#draw(message);
    });
  }

  /** After a conflict the order is loaded again: another operator may have changed it. */
  async #refused(problem) {
    const before = this.#order.status;
    await this.#reload().catch(() => {});
    const { status } = this.#order;
    if (problem.status !== 409 || status === before) return problemNotice(problem);
    return html`<div class="notice bad" role="alert"><p>The order was changed in the meantime. It is ${quoted(status)} now.</p></div>`;
  }

  async #reload() {
    this.#order = await get(`/orders/${this.#order.id}`, { signal: this.#signal });
    return this.#order;
  }

  async #fulfil(to) {
    this.#order = await post(`/orders/${this.#order.id}/fulfil`, { to });
    const { status } = this.#order;
    // The API accepts a step that was done already; the order may even be further.
    const text = status === to ? `It is ${quoted(status)} now.` : `It was changed in the meantime. It is ${quoted(status)} now.`;
    return `Order ${shortId(this.#order.id)}: ${text}`;
  }

  async #cancel() {
    const text = 'The payment is refunded to the card, and the items go back into stock.';
    if (!await confirmed({ title: `Cancel ${this.#name}?`, text, yes: 'Yes, cancel it' })) return null;
    this.#order = await post(`/orders/${this.#order.id}/cancel`);
    return this.#order.status === 'cancelled' ? `Cancelled ${this.#name}.` : `The ${this.#name} is being cancelled.`;
  }

  async #refund() {
    const { payment } = await this.#reload();
    if (!payment) throw { status: 503, detail: 'The payment is not available at the moment. Try again later.' };
    const refund = await refundDialog({ name: this.#name, payment, signal: this.#signal });
    if (!refund) return null;
    await this.#reload().catch(() => {});
    return refund.status === 'failed'
      ? `The refund of ${money(refund.amount)} failed. The shop still has the money.`
      : `${money(refund.amount)} of ${this.#name} will be refunded to the card.`;
  }

  async #showLabel() {
    const { shipment, degraded } = await this.#reload();
    if (shipment) await labelDialog({ shipment, signal: this.#signal });
    else throw { status: 503, detail: degraded.includes('shipment') ? 'The parcel is not available at the moment. Try again later.' : 'There is no parcel for this order.' };
  }
}

const quoted = status => `“${ORDER_STATUS[status] ?? status}”`;

customElements.define('order-row', OrderRow);
export const orderRow = OrderRow.of;
