// What the operator's pages have in common: only operators see them, and a menu is above each.

import { html } from '../../html.js';
import { forOperators } from '../gate.js';
import { rowsOutline } from '../outlines.js';

const PAGES = [
  ['/operator', 'Dashboard'],
  ['/operator/orders', 'Orders'],
  ['/operator/products', 'Products'],
  ['/operator/stock', 'Stock'],
  ['/operator/events', 'Events'],
];

/** Makes a page into an operator's page. */
export const operatorPage = page => forOperators(async visit => {
  const { title, body } = await page(visit);
  return { title, body: html`${menu(visit.path)}${body}` };
});

export const operatorOutline = title => ({ path }) => html`${menu(path)}${rowsOutline(title)}`;

const menu = path => html`
  <nav class="desk-nav" aria-label="Operator">
    <ul>${PAGES.map(([to, label]) => html`<li><a href=${to} aria-current=${current(to, path)}>${label}</a></li>`)}</ul>
  </nav>`;

/** The value of `aria-current`: `page` for the page itself, `true` for a page below it. */
function current(to, path) {
  if (path.replace(/\/$/, '') === to) return 'page';
  return to !== '/operator' && path.startsWith(`${to}/`) ? 'true' : null;
}
