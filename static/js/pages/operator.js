// The operator's dashboard: open orders, low stock, undelivered events, reconciliation. Each tile
// loads by itself.

import { html, render } from '../html.js';
import { get, withQuery } from '../api.js';
import { instant, plural } from '../format.js';
import { whileBusy } from '../forms.js';
import { announce, problemNotice } from '../notices.js';
import { LOW, scarceFirst, wholeCatalogue } from '../parts/operator/catalogue.js';
import { loadedPart } from '../parts/operator/loaded-part.js';
import { operatorOutline, operatorPage } from '../parts/operator/operator-page.js';
import { reload } from '../router.js';

/** The most items in one answer. If there are more, the tile says “100 or more”. */
const COUNTED = 100;
/** So many products with low stock are named here; the stock page lists all. */
const NAMED = 5;

export const outline = operatorOutline('Dashboard');

export default operatorPage(async ({ signal }) => {
  const body = html`
    <div class="heading-row">
      <h1>Dashboard</h1>
      <button type="button" id="refresh" onclick=${() => reload()}>Refresh</button>
    </div>
    <div class="desk-tiles">
      ${tile('To pack', orders('confirmed', 'to pack', { signal, label: 'orders to pack' }))}
      ${tile('To ship', orders('packed', 'to ship', { signal, label: 'orders to ship' }))}
      ${tile('Low stock', loadedPart(() => lowStock(signal), lowStockText, { signal, label: 'stock' }))}
      ${tile('Undelivered events', loadedPart(() => deadLetters(signal), deadLettersText, { signal, label: 'undelivered events' }))}
      ${tile('Reconciliation', reconciliation(signal))}
    </div>`;
  return { title: 'Dashboard', body };
});

const tile = (title, contents) => html`<section class="panel"><h2>${title}</h2>${contents}</section>`;

const figure = (count, text) => html`<p class="figure"><strong>${count}</strong> ${text}</p>`;

const countOf = ({ items, next_cursor: next }) => ({ count: items.length, text: next ? `${items.length} or more` : String(items.length) });

function orders(status, purpose, options) {
  const count = async () => countOf(await get(withQuery('/orders', { all: 'true', status, limit: COUNTED }), { signal: options.signal }));
  return loadedPart(count, counted => ordersText(counted, status, purpose), options);
}

const ordersText = ({ count, text }, status, purpose) => html`
  ${figure(text, `${count === 1 ? 'order' : 'orders'} ${purpose}`)}
  <p><a href=${withQuery('/operator/orders', { status })}>See the orders</a></p>`;

async function lowStock(signal) {
  const { items } = await wholeCatalogue({ signal });
  return scarceFirst(items.filter(({ stock }) => stock.available <= LOW));
}

const lowStockText = products => html`
  ${figure(products.length, `${products.length === 1 ? 'product has' : 'products have'} ${LOW} items or fewer`)}
  ${products.length > 0 && html`<ul class="soft">${products.slice(0, NAMED).map(({ name, stock }) => html`
    <li>${name}: ${stock.available ? `${stock.available} left` : 'sold out'}</li>`)}</ul>`}
  <p><a href="/operator/stock">See the stock</a></p>`;

const deadLetters = async signal => countOf(await get(withQuery('/events/dead', { limit: COUNTED }), { signal }));

const deadLettersText = ({ count, text }) => html`
  ${count ? figure(text, `${count === 1 ? 'event was' : 'events were'} refused by a service`) : html`<p>Every event was delivered.</p>`}
  <p><a href="/operator/events">See the events</a></p>`;

/** It reads all data of the shop, so it runs only on request. */
function reconciliation(signal) {
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const check = event => whileBusy(event.currentTarget.parentElement, async () => {
    try {
      const audit = await get('/audit', { signal });
      render(outcome, auditText(audit));
      announce(verdict(audit));
    } catch (problem) {
      if (!signal.aborted) render(outcome, problemNotice(problem));
    }
  });
  return html`
    <p class="soft">Checks that stock, payments, orders and parcels agree with each other.</p>
    <div class="part">
      <button type="button" id="check" onclick=${check}>Run the check</button>
      ${outcome}
    </div>`;
}

const verdict = ({ balanced }) => (balanced ? 'The accounts balance.' : 'The accounts do not balance.');

function auditText({ balanced, equations, checked_at: at }) {
  const wrong = equations.filter(({ holds }) => !holds);
  return html`
    <p class=${`stock ${balanced ? '' : 'none'}`}>${verdict({ balanced })}</p>
    ${wrong.length > 0 && html`<ul>${wrong.map(({ name, subject, left, right }) => html`<li>${subject}: ${name} (${left} and ${right})</li>`)}</ul>`}
    <p class="soft">${plural(equations.length, 'equation')} checked, ${instant(at)}</p>`;
}
