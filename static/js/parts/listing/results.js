// One page of a product list: the active filters, the products, and the links to the other pages.

import { html } from '../../html.js';
import { empty, problemNotice } from '../../notices.js';
import { navigate, reload } from '../../router.js';
import { addressOf, addressOfAll, addressOfPage, chipsOf } from './query.js';
import { productCards } from '../product-card.js';

/** The active filters, each a link to the list without it. */
export function chips(filters, categoryName) {
  const each = chipsOf(filters, categoryName);
  return each.length > 0 && html`
    <ul class="chips" aria-label="Active filters">
      ${each.map(({ label, address }) => html`
        <li><a class="chip" href=${address}><span class="visually-hidden">Remove: </span>${label} <span aria-hidden="true">×</span></a></li>`)}
      ${each.length > 1 && html`<li><a href=${addressOfAll(filters)}>Clear all</a></li>`}
    </ul>`;
}

export function results(filters, found, categoryName) {
  const { problem, items } = found;
  if (problem?.code === 'bad_cursor') {
    return problemNotice({ detail: 'This page of the list does not exist any more.' }, html`<p><a href=${addressOf(filters)}>Go to the first page</a></p>`);
  }
  if (problem) return problemNotice(problem, html`<button type="button" onclick=${() => reload()}>Try again</button>`);
  return items.length ? productCards(items) : nothing(filters, categoryName);
}

function nothing(filters, categoryName) {
  const { q, category } = filters;
  const others = chipsOf(filters, categoryName);
  const text = q ? `No products found for “${q}”.` : others.length ? 'No products match these filters.' : 'There are no products yet.';
  if (!others.length) return empty(text);
  return empty(text, html`
    <p>${q && category
      ? html`<a href=${addressOf({ ...filters, category: '' })}>Search in all categories</a> or <a href="/products">see all products</a>`
      : html`<a href=${addressOfAll(filters)}>See all products</a>`}</p>`);
}

/**
 * The API's cursors lead only forwards. “Previous page” is the browser's back button, and shows
 * only on a page that was opened by “Next page”.
 */
export function paging(filters, { items = [], next_cursor: next }, { followsPage }) {
  const before = filters.before === null ? null : filters.before + items.length;
  const goOn = event => {
    // A new tab has no previous page.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(event.currentTarget.href, { state: { followsPage: true } });
  };
  return [
    filters.cursor && html`<a class="button" href=${addressOf(filters)}>First page</a>`,
    filters.cursor && followsPage && html`<button type="button" onclick=${() => history.back()}>Previous page</button>`,
    next && html`<a class="button" rel="next" href=${addressOfPage({ ...filters, cursor: next, before })} onclick=${goOn}>Next page</a>`,
  ].filter(Boolean);
}
