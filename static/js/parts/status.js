// How an order stands, in a word and a colour.

import { html } from '../html.js';
import { ORDER_STATUS } from '../labels.js';

const KINDS = { delivered: 'good', rejected: 'bad', cancelled: 'bad', returned: 'bad', pending: 'waiting' };

export const statusBadge = status =>
  html`<span class=${`badge ${KINDS[status] ?? ''}`}>${ORDER_STATUS[status] ?? status}</span>`;

/** The status that an address asks for; nothing where there is no such. */
export const knownStatus = status => (Object.hasOwn(ORDER_STATUS, status) ? status : '');

/** Narrows a list of orders at `path` to those with one status. */
export const statusFilter = (path, status) => html`
  <form method="get" action=${path} class="filters-row">
    <label for="status">Show</label>
    <select id="status" name="status" onchange=${event => event.currentTarget.form.requestSubmit()}>
      <option value="">All orders</option>
      ${Object.entries(ORDER_STATUS).map(([each, words]) => html`<option value=${each} selected=${each === status}>${words}</option>`)}
    </select>
  </form>`;
