// <listing-filters>: categories, prices and stock. Sends `filters-changed` with `{ min, max,
// inStock }` in its detail.

import { html, render } from '../../html.js';
import { clearProblem, setError } from '../../forms.js';
import { addressOf, pricesOf } from './query.js';

const WIDE = matchMedia('(width >= 60rem)');

const price = (name, label) => html`
  <div class="field">
    <label for=${`${name}-price`}>${label}</label>
    <input id=${`${name}-price`} name=${name} inputmode="numeric" maxlength="9" autocomplete="off" aria-describedby=${`${name}-price-error`}>
  </div>`;

const priceError = name => html`<p class="field-error" id=${`${name}-price-error`} hidden></p>`;

class ListingFilters extends HTMLElement {
  #details;
  #categories = document.createElement('ul');
  #count = document.createElement('span');
  #form;
  #unfold = () => {
    this.#details.open = WIDE.matches;
  };

  static create() {
    const filters = document.createElement('listing-filters');
    filters.#draw();
    return filters;
  }

  #draw() {
    this.#categories.className = 'departments';
    this.#form = html`
      <form class="narrow" novalidate aria-label="Filters" onsubmit=${event => this.#submitted(event)}>
        <fieldset class="prices">
          <legend>Price in euros</legend>
          <div class="price-range">${price('min', 'From')}${price('max', 'Up to')}<button type="submit">Set</button></div>
          ${priceError('min')}${priceError('max')}
        </fieldset>
        <label class="choice" for="in-stock">
          <input type="checkbox" id="in-stock" name="in_stock" onchange=${() => this.#changed()}>
          <span class="choice-words">In stock only</span>
        </label>
      </form>`.firstElementChild;
    this.#form.querySelector('.prices').addEventListener('change', () => this.#changed());
    this.#details = html`
      <details class="filters">
        <summary>Filters${this.#count}</summary>
        <div>
          <nav aria-label="Categories">${this.#categories}</nav>
          ${this.#form}
        </div>
      </details>`.firstElementChild;
    this.append(this.#details);
    this.#unfold();
  }

  /**
   * On wide screens the filters are always open beside the list; on small screens they are folded
   * above it.
   */
  connectedCallback() {
    WIDE.addEventListener('change', this.#unfold);
  }

  disconnectedCallback() {
    WIDE.removeEventListener('change', this.#unfold);
  }

  show(filters, categories, count) {
    this.#count.textContent = count ? ` (${count} active)` : '';
    const entry = (category, label) => html`
      <li><a href=${addressOf({ ...filters, category })} aria-current=${category === filters.category ? 'page' : null}>${label}</a></li>`;
    render(this.#categories, entry('', 'All products'), ...categories.map(({ slug, name }) => entry(slug, name)));
  }

  /** Fills the fields from an address that they did not make themselves. */
  fill({ typed, inStock, errors }) {
    const { min, max, in_stock: box } = this.#form.elements;
    min.value = typed.min;
    max.value = typed.max;
    box.checked = inStock;
    this.#showErrors(errors);
  }

  #changed() {
    const { min, max, in_stock: box } = this.#form.elements;
    const prices = pricesOf({ min: min.value, max: max.value });
    this.#showErrors(prices.errors);
    const isValid = Object.keys(prices.errors).length === 0;
    const detail = { min: prices.min, max: prices.max, inStock: box.checked };
    if (isValid) this.dispatchEvent(new CustomEvent('filters-changed', { detail }));
    return isValid;
  }

  #submitted(event) {
    event.preventDefault();
    if (!this.#changed()) this.#form.querySelector('[aria-invalid]').focus();
  }

  #showErrors(errors) {
    clearProblem(this.#form);
    for (const [name, text] of Object.entries(errors)) setError(this.#form.elements[name], text);
  }
}

customElements.define('listing-filters', ListingFilters);
export const listingFilters = ListingFilters.create;
