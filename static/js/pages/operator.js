// The operator's desk at a glance: what waits, what runs low, what went astray. Each part comes by itself.

import { html, render } from '../html.js';
import { get, withQuery } from '../api.js';
import { instant, plural } from '../format.js';
import { whileBusy } from '../forms.js';
import { announce, problemNotice } from '../notices.js';
import { LOW, scarceFirst, wholeCatalogue } from '../parts/operator/catalogue.js';
import { deskOutline, deskPage, part } from '../parts/operator/desk.js';
import { reload } from '../router.js';

/** As many as one answer holds; more are called so many and more. */
const COUNTED = 100;
/** Names of products that stand here; the rest stand on the page of the stock. */
const NAMED = 5;

export const outline = deskOutline('The desk');

export default deskPage(async ({ signal }) => {
  const body = html`
    <div class="heading-row">
      <h1>The desk</h1>
      <button type="button" id="look-again" onclick=${() => reload()}>Look again</button>
    </div>
    <div class="desk-tiles">
      ${tile('To pack', waiting('confirmed', 'to be packed', { signal, label: 'orders to pack' }))}
      ${tile('To ship', waiting('packed', 'packed and ready to go', { signal, label: 'orders to ship' }))}
      ${tile('Low stock', part(() => lowStock(signal), lowStockWords, { signal, label: 'stock' }))}
      ${tile('Undelivered events', part(() => deadLetters(signal), deadLettersWords, { signal, label: 'undelivered events' }))}
      ${tile('The books', books(signal))}
    </div>`;
  return { title: 'The desk', body };
});

const tile = (title, contents) => html`<section class="panel"><h2>${title}</h2>${contents}</section>`;

const figure = (count, words) => html`<p class="figure"><strong>${count}</strong> ${words}</p>`;

const countOf = ({ items, next_cursor: next }) => ({ count: items.length, words: next ? `${items.length} or more` : String(items.length) });

function waiting(status, waitingFor, options) {
  const count = async () => countOf(await get(withQuery('/orders', { all: 'true', status, limit: COUNTED }), { signal: options.signal }));
  return part(count, counted => ordersWords(counted, status, waitingFor), options);
}

const ordersWords = ({ count, words }, status, waitingFor) => html`
  ${figure(words, `${count === 1 ? 'order' : 'orders'} ${waitingFor}`)}
  <p><a href=${withQuery('/operator/orders', { status })}>${count ? 'Go through them' : 'Look at the orders'}</a></p>`;

async function lowStock(signal) {
  const { items } = await wholeCatalogue({ signal });
  return scarceFirst(items.filter(({ stock }) => stock.available <= LOW));
}

const lowStockWords = products => html`
  ${figure(products.length, `${products.length === 1 ? 'product has' : 'products have'} ${LOW} pieces left or fewer`)}
  ${products.length > 0 && html`<ul class="soft">${products.slice(0, NAMED).map(({ name, stock }) => html`
    <li>${name}: ${stock.available ? `${stock.available} left` : 'sold out'}</li>`)}</ul>`}
  <p><a href="/operator/stock">Look at the stock</a></p>`;

const deadLetters = async signal => countOf(await get(withQuery('/events/dead', { limit: COUNTED }), { signal }));

const deadLettersWords = ({ count, words }) => html`
  ${count ? figure(words, `${count === 1 ? 'event' : 'events'} that somebody would not take`) : html`<p>Every event was delivered.</p>`}
  <p><a href="/operator/events">${count ? 'See which' : 'Look at the events'}</a></p>`;

/** The whole shop is read for them: on request only. */
function books(signal) {
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const check = event => whileBusy(event.currentTarget.parentElement, async () => {
    try {
      const audit = await get('/audit', { signal });
      render(outcome, auditWords(audit));
      announce(audit.balanced ? 'The books balance.' : 'The books do not balance.');
    } catch (problem) {
      if (!signal.aborted) render(outcome, problemNotice(problem));
    }
  });
  return html`
    <p class="soft">Whether stock, payments, orders and parcels agree with each other.</p>
    <div class="part">
      <button type="button" id="check-books" onclick=${check}>Check the books</button>
      ${outcome}
    </div>`;
}

function auditWords({ balanced, equations, checked_at: at }) {
  const wrong = equations.filter(({ holds }) => !holds);
  return html`
    <p class=${`stock ${balanced ? '' : 'none'}`}>${balanced ? 'The books balance.' : 'The books do not balance.'}</p>
    ${wrong.length > 0 && html`<ul>${wrong.map(({ name, subject, left, right }) => html`<li>${subject}: ${name} (${left} against ${right})</li>`)}</ul>`}
    <p class="soft">${plural(equations.length, 'equation')} looked at, ${instant(at)}</p>`;
}
