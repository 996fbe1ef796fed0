// The status of an order as a coloured label, and as a filter.

import { html } from '../html.js';
import { ORDER_STATUS } from '../labels.js';

const KINDS = { delivered: 'good', rejected: 'bad', cancelled: 'bad', returned: 'bad', pending: 'waiting' };

export const statusBadge = status =>
  html`<span class=${`badge ${KINDS[status] ?? ''}`}>${ORDER_STATUS[status] ?? status}</span>`;

/** The status from the page's address; empty if it does not exist. */
export const knownStatus = status => (Object.hasOwn(ORDER_STATUS, status) ? status : '');

/** A form that shows only the orders with one status. */
export const statusFilter = (path, status) => html`
  <form method="get" action=${path} class="filters-row">
    <label for="status">Show</label>
    <select id="status" name="status" onchange=${event => event.currentTarget.form.requestSubmit()}>
      <option value="">All orders</option>
      ${Object.entries(ORDER_STATUS).map(([each, label]) => html`<option value=${each} selected=${each === status}>${label}</option>`)}
    </select>
  </form>`;
