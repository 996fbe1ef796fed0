// Products by category, search, price, stock and order. All that is chosen stands in the address.

import { html, render } from '../html.js';
import { get, Problem } from '../api.js';
import { announce, degradedNotice } from '../notices.js';
import { ListingFilters } from '../parts/listing-filters.js';
import { addressOf, chipsOf, countWords, filtersOf, pathInShop, SORTS, usualSort } from '../parts/listing-query.js';
import { chips, paging, results } from '../parts/listing-results.js';
import { cardsOutline } from '../parts/outlines.js';
import { navigate } from '../router.js';

const TYPING_PAUSE_MS = 300;
const searchField = document.getElementById('site-search');

export const outline = ({ query }) => cardsOutline(query.q ? `“${query.q}”` : '');

export default async function listing(visit) {
  const page = Listing.inSight();
  const filters = filtersOf(visit);
  page.begin(filters, visit.signal);
  const [found, categories] = await Promise.all([
    get(pathInShop(filters), { signal: visit.signal }).catch(problem => ({ problem })),
    page.categories(),
  ]);
  visit.signal.throwIfAborted();
  const isKnown = categories.some(({ slug }) => slug === filters.category);
  if (filters.category && categories.length && !isKnown) throw new Problem(404);
  return { title: page.show(filters, found, categories, visit.state), body: page.body };
}

class Listing {
  static #shown = null;
  #filters;
  #narrowing = new ListingFilters(changes => this.#goWith(changes));
  #categories = null;
  /** The address that the page's own fields led to: they may say more than it by now, and are left alone. */
  #ownAddress = null;
  #parts;

  /** The list that is in sight goes on: its fields keep what is typed, and the focus. */
  static inSight() {
    if (!Listing.#shown?.body.isConnected) Listing.#shown = new Listing();
    return Listing.#shown;
  }

  constructor() {
    const part = (kind = '') => html`<div class=${kind}></div>`.firstElementChild;
    const sort = html`<select id="sort" onchange=${() => this.#goWith({ sort: sort.value })}></select>`.firstElementChild;
    const paging = html`<nav class="paging" aria-label="Pages"></nav>`.firstElementChild;
    this.#parts = { heading: part(), missing: part(), count: part('soft'), sort, chips: part(), results: part(), paging };
    const { heading, missing, count, chips: narrowed, results: list } = this.#parts;
    this.body = html`
      <div>
        ${heading}
        <div class="listing">
          ${this.#narrowing.body}
          <section aria-label="Products">
            ${missing}
            <div class="results-head">${count}<div class="sorting"><label for="sort">Sort by</label>${sort}</div></div>
            ${narrowed}
            ${list}
            ${paging}
          </section>
        </div>
      </div>`.firstElementChild;
  }

  begin(filters, signal) {
    this.#filters = filters;
    this.#narrowing.follow(signal);
    this.#followSearch(signal);
  }

  /** They hardly change: read once while the list is in sight, and again only if that failed. */
  categories() {
    this.#categories ??= get('/categories?limit=100').then(({ items }) => items, () => {
      this.#categories = null;
      return [];
    });
    return this.#categories;
  }

  /** @returns the page's title */
  show(filters, found, categories, state) {
    const name = categories.find(({ slug }) => slug === filters.category)?.name ?? filters.category;
    const title = filters.q ? `“${filters.q}”${name && ` in ${name}`}` : name || 'Everything';
    const count = found.items ? countWords(filters, found, categories) : '';
    const { heading, missing, count: counted, chips: narrowed, results: list, paging: pages } = this.#parts;
    render(heading, html`<h1>${title}</h1>`);
    render(missing, degradedNotice(categories.length || found.problem ? [] : ['categories']));
    counted.textContent = count;
    render(narrowed, chips(filters, name) || null);
    render(list, results(filters, found, name));
    render(pages, ...paging(filters, found, state));
    this.#narrowing.show(filters, categories, chipsOf(filters, name).length);
    this.#showSort(filters);
    if (this.#ownAddress !== location.pathname + location.search) this.#narrowing.fill(filters);
    this.#ownAddress = null;
    if (count) announce(found.items.length ? count : 'Nothing found');
    return title;
  }

  #showSort({ q, sort }) {
    const usual = usualSort(q);
    const options = Object.entries(SORTS).filter(([value]) => q || value !== 'relevance');
    this.#parts.sort.replaceChildren(...options.map(([value, words]) => new Option(words, value)));
    this.#parts.sort.value = sort || usual;
  }

  /** The list as the fields have it, from its beginning. */
  #addressWith(changes = {}) {
    const filters = { ...this.#filters, q: searchField.value.trim(), ...changes };
    return addressOf({ ...filters, sort: filters.sort === usualSort(filters.q) ? '' : filters.sort });
  }

  #goWith(changes, how) {
    const address = this.#addressWith(changes);
    if (address === addressOf(this.#filters)) return;
    this.#ownAddress = address;
    navigate(address, how);
  }

  /** Searched while it is typed: in the same place of the history, and without moving the focus. */
  #followSearch(signal) {
    let typing;
    searchField.addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#goWith({}, { replace: true, whileTyping: true }), TYPING_PAUSE_MS);
    }, { signal });
    // Sent off, it goes to the results; they are narrowed down as before.
    searchField.form.addEventListener('submit', event => {
      event.preventDefault();
      navigate(this.#addressWith(), { replace: true });
    }, { signal });
    signal.addEventListener('abort', () => clearTimeout(typing));
  }
}
