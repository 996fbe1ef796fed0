// <delivery-estimate>: delivery dates and prices of one product, for a country that the customer
// chooses.

import { html, render } from '../html.js';
import { post } from '../api.js';
import { day, money } from '../format.js';
import { field } from '../forms.js';
import { SHIPPING_SERVICE } from '../labels.js';
import { problemNotice } from '../notices.js';
import { countryOptions, likelyCountry, rememberCountry } from './address-fields.js';

class DeliveryEstimate extends HTMLElement {
  #product;
  #request = new AbortController();
  #quotes = html`<div class="estimate-answer" aria-live="polite"></div>`.firstElementChild;

  static of(product) {
    const estimate = document.createElement('delivery-estimate');
    estimate.#product = product;
    estimate.#draw();
    return estimate;
  }

  disconnectedCallback() {
    this.#request.abort();
  }

  #draw() {
    const country = likelyCountry();
    const onchange = ({ target: { value } }) => {
      if (value) rememberCountry(value);
      this.#load(value);
    };
    this.append(html`
      <section class="estimate" aria-labelledby="estimate">
        <h2 id="estimate">Delivery</h2>
        ${field('country', 'To', { scope: 'estimate', options: countryOptions(), value: country, onchange })}
        ${this.#quotes}
      </section>`);
    this.#load(country);
  }

  async #load(country) {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    render(this.#quotes, text(country ? 'Loading delivery prices…' : 'Choose a country to see delivery dates and prices.'));
    if (!country) return;
    const parcel = { address: { country }, items: [{ product_id: this.#product.id, quantity: 1 }] };
    try {
      const { items } = await post('/shipping/quotes', parcel, { signal });
      render(this.#quotes, html`<dl class="facts">${items.map(quote)}</dl>`);
    } catch (problem) {
      if (!signal.aborted) render(this.#quotes, problem.code === 'undeliverable' ? text(problem.detail) : problemNotice(problem));
    }
  }
}

const text = sentence => html`<p class="soft">${sentence}</p>`;

const quote = ({ service, cost, delivery_by: by }) =>
  html`<div><dt>${SHIPPING_SERVICE[service] ?? service}</dt><dd>by ${day(by)}, ${money(cost)}</dd></div>`;

customElements.define('delivery-estimate', DeliveryEstimate);
export const deliveryEstimate = DeliveryEstimate.of;
