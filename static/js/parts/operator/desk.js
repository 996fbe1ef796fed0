// The desk of whoever runs the shop: what its pages have in common.

import { html, render } from '../../html.js';
import { problemNotice } from '../../notices.js';
import { forOperators } from '../gate.js';
import { rowsOutline } from '../outlines.js';

const PAGES = [
  ['/operator', 'Desk'],
  ['/operator/orders', 'Orders'],
  ['/operator/products', 'Products'],
  ['/operator/stock', 'Stock'],
  ['/operator/events', 'Events'],
];

/** A page of the desk: for operators only, and with the way to the others on top of it. */
export const deskPage = page => forOperators(async visit => {
  const { title, body } = await page(visit);
  return { title, body: html`${deskNav(visit.path)}${body}` };
});

export const deskOutline = title => ({ path }) => html`${deskNav(path)}${rowsOutline(title)}`;

const deskNav = path => html`
  <nav class="desk-nav" aria-label="Desk">
    <ul>${PAGES.map(([to, words]) => html`<li><a href=${to} aria-current=${current(to, path)}>${words}</a></li>`)}</ul>
  </nav>`;

/** `page` for the page itself, `true` for one that is part of it. */
function current(to, path) {
  if (path.replace(/\/$/, '') === to) return 'page';
  return to !== '/operator' && path.startsWith(`${to}/`) ? 'true' : null;
}

/** Whatever is the matter with a service, what it comes to is that nobody knows. */
const inWords = (problem, label) => (problem.status >= 500
  ? { detail: `The part of the shop that knows the ${label} is away at the moment.`, traceId: problem.traceId }
  : problem);

/**
 * A part of a page that comes when it can: where it cannot be had, it says so and offers to try again, and the rest of
 * the page stands.
 * @param label what is to be had, after “the”
 */
export function part(load, draw, { signal, label }) {
  const place = html`<div class="part" tabindex="-1"></div>`.firstElementChild;
  const fill = async () => {
    place.setAttribute('aria-busy', 'true');
    let contents;
    try {
      contents = draw(await load());
    } catch (problem) {
      if (problem.status === undefined && !signal.aborted) console.error(problem);
      contents = problemNotice(inWords(problem, label), html`<button type="button" aria-label=${`Try again: ${label}`} onclick=${fill}>Try again</button>`);
    }
    if (signal.aborted) return;
    place.removeAttribute('aria-busy');
    const hadFocus = place.contains(document.activeElement);
    render(place, contents);
    if (hadFocus) place.focus();
  };
  render(place, html`<span class="outline-bar line"></span><span class="outline-bar word"></span><span class="visually-hidden">Loading…</span>`);
  fill();
  return place;
}
