// <order-view>: an order whose status is updated live, and what the customer can still do: cancel
// it, return items.

import { html, render } from '../../html.js';
import { get, post } from '../../api.js';
import { ORDER_STATUS, reason } from '../../labels.js';
import { announce, degradedNotice, notice, problemNotice } from '../../notices.js';
import { shop } from '../../shop.js';
import { confirmed } from '../dialog.js';
import { statusBadge } from '../status.js';
import { addressPart, itemsPart, parcelPart, paymentPart, thanks, timeline } from './order-parts.js';
import { returnForm } from './return-form.js';

/** An order in one of these never changes its status by itself. */
const FINAL = ['delivered', 'rejected', 'cancelled', 'returned'];
const CANCELLABLE = ['confirmed', 'packed'];
/** The status of an order for as long as the page thanks for it. */
const NEW = ['pending', 'confirmed'];
const RECONNECT_MS = 3000;

class OrderView extends HTMLElement {
  #order;
  #wasJustPlaced;
  /** Ends the event stream and the requests. */
  #connection = null;

  static of(order, { wasJustPlaced }) {
    const view = document.createElement('order-view');
    view.#order = order;
    view.#wasJustPlaced = wasJustPlaced;
    view.#draw();
    return view;
  }

  connectedCallback() {
    this.#connection = new AbortController();
    this.#follow(this.#order, this.#connection.signal);
  }

  disconnectedCallback() {
    this.#connection.abort();
  }

  #show(order, message = null) {
    this.#order = order;
    this.#draw(message);
  }

  #draw(message = null) {
    const order = this.#order;
    render(this, html`
      ${message}
      ${this.#wasJustPlaced && NEW.includes(order.status) && thanks(order)}
      ${degradedNotice(order.degraded)}
      <div class="with-aside">
        <div>
          <section class="panel" aria-labelledby="status">
            <h2 id="status">Order status ${statusBadge(order.status)}</h2>
            ${order.reason && html`<p>${reason(order)}</p>`}
            ${order.in_progress && html`<p class="soft">In progress: ${order.in_progress}</p>`}
            ${timeline(order)}
            ${CANCELLABLE.includes(order.status) && html`<div class="actions"><button type="button" id="cancel" onclick=${() => this.#cancel()}>Cancel the order</button></div>`}
          </section>
          <section aria-labelledby="lines">
            ${itemsPart(order)}
            ${order.status === 'delivered' && returnForm(order, (now, text) => this.#returned(now, text))}
          </section>
        </div>
        <aside class="panel">
          ${parcelPart(order)}
          ${paymentPart(order)}
          ${addressPart(order)}
        </aside>
      </div>`);
  }

  async #cancel() {
    const text = 'The payment is refunded to the card, and the items go back into stock.';
    if (!await confirmed({ title: 'Cancel this order?', text, yes: 'Yes, cancel it' })) return;
    try {
      this.#show(await post(`/orders/${this.#order.id}/cancel`));
      announce('The order is cancelled.');
    } catch (problem) {
      this.#draw(problemNotice(problem));
    }
  }

  #returned(order, text) {
    this.#show(order, notice(html`<p>${text}</p>`, 'good'));
    announce(text);
  }

  /**
   * Subscribes to the order's events until its status is final. An event's id is the number of its
   * timeline entry, from 1.
   */
  #follow(order, signal) {
    if (FINAL.includes(order.status) || signal.aborted) return;
    let known = order.timeline.length;
    const events = new EventSource(`/api/v1/orders/${order.id}/events`);
    signal.addEventListener('abort', () => events.close(), { once: true });
    events.addEventListener('status', async ({ data, lastEventId }) => {
      const { status } = JSON.parse(data);
      if (FINAL.includes(status)) events.close();
      if (Number(lastEventId) <= known) return;
      known = Number(lastEventId);
      announce(`Order status: ${ORDER_STATUS[status] ?? status}.`);
      const now = await get(`/orders/${order.id}`, { signal }).catch(() => null);
      if (now && !signal.aborted) this.#show(now);
      shop.countUnread().catch(() => {});
    });
    events.addEventListener('error', () => {
      // After an HTTP error, such as 401 for an expired session, the browser does not reconnect by
      // itself.
      if (events.readyState === EventSource.CLOSED) this.#reconnect(order, known, signal);
    });
  }

  /** Reads the order, which also renews an expired session, and subscribes again. */
  #reconnect(order, known, signal) {
    setTimeout(async () => {
      if (signal.aborted) return;
      try {
        const now = await get(`/orders/${order.id}`, { signal });
        if (now.timeline.length > known) this.#show(now);
        this.#follow(now, signal);
      } catch ({ status }) {
        // These pass; any other error is final.
        if (status === 0 || status === 429 || status >= 500) this.#reconnect(order, known, signal);
      }
    }, RECONNECT_MS);
  }
}

customElements.define('order-view', OrderView);
export const orderView = OrderView.of;
