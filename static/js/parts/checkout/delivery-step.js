// <delivery-step>: the delivery services with price and date. Sends `quote-changed` when another
// quote is picked or known.

import { html } from '../../html.js';
import { post } from '../../api.js';
import { day, money } from '../../format.js';
import { choice } from '../../forms.js';
import { SHIPPING_SERVICE } from '../../labels.js';
import { problemNotice } from '../../notices.js';
import { CheckoutStep } from './step.js';

const TYPING_PAUSE_MS = 400;
const LOADING = 'Loading delivery prices…';
const NO_ADDRESS = 'Enter the country and the postal code to see delivery times and prices.';

class DeliveryStep extends CheckoutStep {
  #items;
  #destination = null;
  /** [{ service, cost, delivery_by }], `null` while they are not known */
  #quotes = null;
  /** The service that the customer picked. It stays picked when the prices change. */
  #service = null;
  #request = new AbortController();
  #typing = null;

  /** @param items the cart's lines */
  static of(items) {
    const step = document.createElement('delivery-step');
    step.#items = items.map(({ product_id, quantity }) => ({ product_id, quantity }));
    step.setUp('delivery', 'Delivery');
    step.form.addEventListener('input', () => step.#pick());
    step.#draw(NO_ADDRESS);
    return step;
  }

  disconnectedCallback() {
    clearTimeout(this.#typing);
    this.#request.abort();
  }

  /** The quote that is picked; `undefined` while there is none. */
  get quote() {
    return this.#quotes?.find(({ service }) => service === this.picked);
  }

  /** Shows the quotes for this destination. @param isTyped waits for a pause in typing first */
  deliverTo(destination, { isTyped = false } = {}) {
    if (isTyped && JSON.stringify(destination) === JSON.stringify(this.#destination)) return;
    this.#destination = destination;
    clearTimeout(this.#typing);
    // The prices for the previous destination are removed at once.
    this.#reset();
    if (isTyped) this.#typing = setTimeout(() => this.#load(), TYPING_PAUSE_MS);
    else this.#load();
  }

  #reset() {
    this.#request.abort();
    this.#request = new AbortController();
    this.#quotes = null;
    this.#draw(this.#destination ? LOADING : NO_ADDRESS);
  }

  async #load() {
    this.#reset();
    const { signal } = this.#request;
    if (!this.#destination) return;
    try {
      const { items } = await post('/shipping/quotes', { address: this.#destination, items: this.#items }, { signal });
      if (signal.aborted) return;
      this.#quotes = items;
      this.#draw();
    } catch (problem) {
      if (signal.aborted) return;
      const canRetry = problem.code !== 'undeliverable';
      this.#draw(problemNotice(problem, canRetry && html`<button type="button" onclick=${() => this.#load()}>Try again</button>`));
    }
  }

  /** @param instead text or markup to show in place of the quotes */
  #draw(instead = null) {
    const quotes = this.#quotes ?? [];
    const picked = quotes.some(({ service }) => service === this.#service) ? this.#service : quotes[0]?.service;
    const message = typeof instead === 'string' ? html`<p class="soft">${instead}</p>` : instead;
    this.show(message ?? html`
      <div class="choices" role="radiogroup" aria-labelledby="delivery">${quotes.map(quote => quoteChoice(quote, picked))}</div>`);
    this.dispatchEvent(new Event('quote-changed'));
  }

  #pick() {
    this.#service = this.picked;
    this.dispatchEvent(new Event('quote-changed'));
  }
}

const quoteChoice = ({ service, cost, delivery_by: by }, picked) => choice(
  'picked',
  html`<strong>${SHIPPING_SERVICE[service] ?? service}</strong> <span class="soft">arrives by ${day(by)}</span> <span class="amount">${money(cost)}</span>`,
  { scope: 'delivery-picked', type: 'radio', value: service, checked: service === picked },
);

customElements.define('delivery-step', DeliveryStep);
export const deliveryStep = DeliveryStep.of;
