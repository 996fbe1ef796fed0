// How an order stands, in a word and a colour.

import { html } from '../html.js';
import { ORDER_STATUS } from '../words.js';

const KINDS = { delivered: 'good', rejected: 'bad', cancelled: 'bad', returned: 'bad', pending: 'waiting' };

export const statusBadge = status =>
  html`<span class=${`badge ${KINDS[status] ?? ''}`}>${ORDER_STATUS[status] ?? status}</span>`;
