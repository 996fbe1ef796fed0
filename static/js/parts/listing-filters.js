// What a list of products can be narrowed down by. It stays in the page while the list is read anew, so nothing that is
// being typed is lost.

import { html, render } from '../html.js';
import { clearProblem, setError } from '../forms.js';
import { addressOf, pricesOf } from './listing-query.js';

const WIDE = matchMedia('(width >= 60rem)');

const price = (name, label) => html`
  <div class="field">
    <label for=${`${name}-price`}>${label}</label>
    <input id=${`${name}-price`} name=${name} inputmode="numeric" maxlength="9" autocomplete="off" aria-describedby=${`${name}-price-error`}>
  </div>`;

const priceError = name => html`<p class="field-error" id=${`${name}-price-error`} hidden></p>`;

export class ListingFilters {
  #onchange;
  #departments = document.createElement('ul');
  #count = document.createElement('span');
  #form;

  /** @param onchange is told `{ min, max, inStock }` when they are others, and make sense */
  constructor(onchange) {
    this.#onchange = onchange;
    this.#departments.className = 'departments';
    this.#form = html`
      <form class="narrow" novalidate aria-label="Narrow down" onsubmit=${event => this.#submitted(event)}>
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
    this.body = html`
      <details class="filters">
        <summary>Filters${this.#count}</summary>
        <div>
          <nav aria-label="Departments">${this.#departments}</nav>
          ${this.#form}
        </div>
      </details>`.firstElementChild;
  }

  /** Beside the list they are always there; above it, on small screens, they are folded away. */
  follow(signal) {
    const unfold = () => {
      this.body.open = WIDE.matches;
    };
    if (!this.body.isConnected) unfold();
    WIDE.addEventListener('change', unfold, { signal });
  }

  show(filters, categories, count) {
    this.#count.textContent = count ? ` (${count} on)` : '';
    const entry = (category, words) => html`
      <li><a href=${addressOf({ ...filters, category })} aria-current=${category === filters.category ? 'page' : null}>${words}</a></li>`;
    render(this.#departments, entry('', 'Everything'), ...categories.map(({ slug, name }) => entry(slug, name)));
  }

  /** Another address than the fields' own was gone to: they say what it says. */
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
    const isRight = Object.keys(prices.errors).length === 0;
    if (isRight) this.#onchange({ min: prices.min, max: prices.max, inStock: box.checked });
    return isRight;
  }

  #submitted(event) {
    event.preventDefault();
    if (!this.#changed()) this.#form.querySelector('[aria-invalid]').focus();
  }

  #showErrors(errors) {
    clearProblem(this.#form);
    for (const [name, words] of Object.entries(errors)) setError(this.#form.elements[name], words);
  }
}
