// A page of products with what may be done about it: other filters, other pages, another try.

import { html } from '../html.js';
import { empty, problemNotice } from '../notices.js';
import { navigate, reload } from '../router.js';
import { addressOf, addressOfAll, addressOfPage, chipsOf } from './listing-query.js';
import { productCards } from './product-card.js';

/** The filters that are on, each a link to the list without it. */
export function chips(filters, categoryName) {
  const each = chipsOf(filters, categoryName);
  return each.length > 0 && html`
    <ul class="chips" aria-label="Filters that are on">
      ${each.map(({ words, address }) => html`
        <li><a class="chip" href=${address}><span class="visually-hidden">Take away: </span>${words} <span aria-hidden="true">×</span></a></li>`)}
      ${each.length > 1 && html`<li><a href=${addressOfAll(filters)}>Clear all</a></li>`}
    </ul>`;
}

export function results(filters, found, categoryName) {
  const { problem, items } = found;
  if (problem?.code === 'bad_cursor') {
    return problemNotice({ detail: 'This page of the list is not there any longer.' }, html`<p><a href=${addressOf(filters)}>Begin at the first page</a></p>`);
  }
  if (problem) return problemNotice(problem, html`<button type="button" onclick=${() => reload()}>Try again</button>`);
  return items.length ? productCards(items) : nothing(filters, categoryName);
}

function nothing(filters, categoryName) {
  const { q, category } = filters;
  const others = chipsOf(filters, categoryName);
  const words = q ? `Nothing here answers to “${q}”.` : others.length ? 'Nothing here is like that.' : 'Nothing is on the shelves yet.';
  if (!others.length) return empty(words);
  return empty(words, html`
    <p>${q && category
      ? html`<a href=${addressOf({ ...filters, category: '' })}>Look in the whole shop</a> or <a href="/products">see everything</a>`
      : html`<a href=${addressOfAll(filters)}>See everything</a>`}</p>`);
}

/**
 * The shop's pages lead forwards only, by cursor: the way back is the browser's, for a page that was come to from the one before it.
 */
export function paging(filters, { items = [], next_cursor: next }, { followsPage }) {
  const before = filters.before === null ? null : filters.before + items.length;
  const goOn = event => {
    // In a tab of its own there is no page before it.
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
