// <product-listing>: the list with its filters, sort order and pages. It stays in the page while
// its content changes.

import { html, render } from '../../html.js';
import { get } from '../../api.js';
import { announce, degradedNotice } from '../../notices.js';
import { navigate } from '../../router.js';
import { listingFilters } from './filters.js';
import { addressOf, chipsOf, countText, SORTS, usualSort } from './query.js';
import { chips, paging, results } from './results.js';

const TYPING_PAUSE_MS = 300;
const searchField = document.getElementById('site-search');

class ProductListing extends HTMLElement {
  #filters;
  #sidebar;
  #categories = null;
  /**
   * The address that the list's own fields led to. The fields are not filled from it: the customer
   * may be typing.
   */
  #ownAddress = null;
  #parts;

  static create() {
    const listing = document.createElement('product-listing');
    listing.#draw();
    return listing;
  }

  #draw() {
    const part = (kind = '') => html`<div class=${kind}></div>`.firstElementChild;
    const sort = html`<select id="sort" onchange=${() => this.#goWith({ sort: sort.value })}></select>`.firstElementChild;
    const pages = html`<nav class="paging" aria-label="Pages"></nav>`.firstElementChild;
    this.#sidebar = listingFilters();
    this.#sidebar.addEventListener('filters-changed', ({ detail }) => this.#goWith(detail));
    this.#parts = { heading: part(), missing: part(), count: part('soft'), sort, chips: part(), results: part(), pages };
    this.append(html`
      ${this.#parts.heading}
      <div class="listing">
        ${this.#sidebar}
        <section aria-label="Products">
          ${this.#parts.missing}
          <div class="results-head">${this.#parts.count}<div class="sorting"><label for="sort">Sort by</label>${sort}</div></div>
          ${this.#parts.chips}
          ${this.#parts.results}
          ${pages}
        </section>
      </div>`);
  }

  /** Starts to follow the search field, until the list is left or its filters change. */
  begin(filters, signal) {
    this.#filters = filters;
    this.#followSearch(signal);
  }

  /**
   * Loaded once while the list is shown, since they rarely change; loaded again only after a
   * failure.
   */
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
    const title = filters.q ? `“${filters.q}”${name && ` in ${name}`}` : name || 'All products';
    const count = found.items ? countText(filters, found, categories) : '';
    const parts = this.#parts;
    render(parts.heading, html`<h1>${title}</h1>`);
    render(parts.missing, degradedNotice(categories.length || found.problem ? [] : ['categories']));
    parts.count.textContent = count;
    render(parts.chips, chips(filters, name) || null);
    render(parts.results, results(filters, found, name));
    render(parts.pages, ...paging(filters, found, state));
    this.#sidebar.show(filters, categories, chipsOf(filters, name).length);
    this.#showSort(filters);
    if (this.#ownAddress !== location.pathname + location.search) this.#sidebar.fill(filters);
    this.#ownAddress = null;
    if (count) announce(found.items.length ? count : 'No products found');
    return title;
  }

  #showSort({ q, sort }) {
    const options = Object.entries(SORTS).filter(([value]) => q || value !== 'relevance');
    this.#parts.sort.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
    this.#parts.sort.value = sort || usualSort(q);
  }

  /** The first page of the list with the fields' values. */
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

  /**
   * The list is updated while the customer types, in the same entry of the history, and the focus
   * stays in the field.
   */
  #followSearch(signal) {
    let typing;
    searchField.addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#goWith({}, { replace: true, whileTyping: true }), TYPING_PAUSE_MS);
    }, { signal });
    // Submitting the search moves the focus to the results and keeps the other filters.
    searchField.form.addEventListener('submit', event => {
      event.preventDefault();
      navigate(this.#addressWith(), { replace: true });
    }, { signal });
    signal.addEventListener('abort', () => clearTimeout(typing));
  }
}

customElements.define('product-listing', ProductListing);
export const productListing = ProductListing.create;
