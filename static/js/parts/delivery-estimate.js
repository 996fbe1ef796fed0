// When a product can be where, and what it costs to get it there.

import { html, render } from '../html.js';
import { post } from '../api.js';
import { day, money } from '../format.js';
import { field } from '../forms.js';
import { problemNotice } from '../notices.js';
import { SHIPPING_SERVICE } from '../labels.js';
import { countryOptions, likelyCountry, rememberCountry } from './address-fields.js';

/** For one piece of the product, to a country that is chosen there. */
export function deliveryEstimate(product, signal) {
  const answer = html`<div class="estimate-answer" aria-live="polite"></div>`.firstElementChild;
  let asking = new AbortController();
  const ask = async country => {
    asking.abort();
    asking = new AbortController();
    const { signal: superseded } = asking;
    render(answer, words(country ? 'Asking the carriers…' : 'Choose a country to see when it can be there.'));
    if (!country) return;
    const parcel = { address: { country }, items: [{ product_id: product.id, quantity: 1 }] };
    try {
      const { items: quotes } = await post('/shipping/quotes', parcel, { signal: AbortSignal.any([signal, superseded]) });
      render(answer, html`<dl class="facts">${quotes.map(quote)}</dl>`);
    } catch (problem) {
      if (!signal.aborted && !superseded.aborted) render(answer, problem.code === 'undeliverable' ? words(problem.detail) : problemNotice(problem));
    }
  };
  const choose = ({ target: { value } }) => {
    if (value) rememberCountry(value);
    ask(value);
  };
  const country = likelyCountry();
  ask(country);
  return html`
    <section class="estimate" aria-labelledby="estimate">
      <h2 id="estimate">Delivery</h2>
      ${field('country', 'To', { scope: 'estimate', options: countryOptions(), value: country, onchange: choose })}
      ${answer}
    </section>`;
}

const words = text => html`<p class="soft">${text}</p>`;

const quote = ({ service, cost, delivery_by: by }) =>
  html`<div><dt>${SHIPPING_SERVICE[service] ?? service}</dt><dd>by ${day(by)}, ${money(cost)}</dd></div>`;
