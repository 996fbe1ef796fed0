// <stock-row>: the stock of one product. Opened, it shows the items on hand and reserved, and
// changes them.

import { html, render } from '../../html.js';
import { put } from '../../api.js';
import { plural } from '../../format.js';
import { field, submits } from '../../forms.js';
import { announce, problemNotice } from '../../notices.js';
import { picture, stockLabel } from '../product-card.js';
import { stockKind } from './catalogue.js';

const MAX_ON_HAND = 1_000_000;

class StockRow extends HTMLElement {
  #product;
  #level = document.createElement('p');
  #details = document.createElement('div');

  static of(product) {
    const row = document.createElement('stock-row');
    row.#product = product;
    row.#draw();
    return row;
  }

  #draw() {
    const { id, name, image, stock } = this.#product;
    this.#drawLevel(stock);
    const more = html`
      <details>
        <summary id=${`stock-${id}`} aria-label=${`On hand and reserved: ${name}`}>On hand and reserved</summary>
        ${this.#details}
      </details>`.firstElementChild;
    more.addEventListener('toggle', () => more.open && this.#load());
    this.append(html`
      <div class="work-row">
        <div class="work-thing">
          ${picture(image, 56)}
          <div><a href=${`/operator/products/${id}`}>${name}</a>${this.#level}</div>
        </div>
        ${more}
      </div>`);
  }

  #drawLevel({ available }) {
    this.#level.className = `stock ${stockKind(available)}`;
    this.#level.textContent = available > 0 ? `${available} available` : stockLabel(0);
  }

  #change(body) {
    return put(`/products/${this.#product.id}/stock`, body);
  }

  /** The API returns the numbers only in answer to a change, so this changes the stock by 0. */
  async #load() {
    render(this.#details, html`<p class="soft">Loading…</p>`);
    try {
      this.#drawDetails(await this.#change({ adjust_by: 0 }));
    } catch (problem) {
      const again = html`<button type="button" aria-label=${`Try again: ${this.#product.name}`} onclick=${() => this.#load()}>Try again</button>`;
      render(this.#details, problemNotice(problem, again));
    }
  }

  #drawDetails({ on_hand: onHand, reserved, available }) {
    this.#drawLevel({ available });
    render(this.#details, html`
      <dl class="counts">
        <div><dt>On hand</dt><dd>${onHand}</dd></div>
        <div><dt>Reserved</dt><dd>${reserved}</dd></div>
        <div><dt>Available</dt><dd>${available}</dd></div>
      </dl>
      <div class="stock-forms">
        ${this.#form('on_hand', 'Counted', 'Set', { min: 0, max: MAX_ON_HAND, value: onHand })}
        ${this.#form('adjust_by', 'Change by', 'Adjust', { min: -MAX_ON_HAND, max: MAX_ON_HAND, placeholder: '±' })}
      </div>`);
  }

  /** @param name the field, which the API calls the same */
  #form(name, label, verb, attributes) {
    const scope = `stock-${this.#product.id}`;
    const button = `${verb}-${this.#product.id}`;
    return html`
      <form novalidate onsubmit=${submits(values => this.#set(button, { [name]: Number(values[name]) }))}>
        ${field(name, label, { scope, type: 'number', required: true, step: 1, inputmode: 'numeric', autocomplete: 'off', ...attributes })}
        <button type="submit" id=${button}>${verb}</button>
      </form>`;
  }

  async #set(button, body) {
    try {
      const now = await this.#change(body);
      this.#drawDetails(now);
      document.getElementById(button)?.focus();
      announce(`${this.#product.name}: ${plural(now.on_hand, 'item')} on hand, ${now.available} available.`);
    } catch (problem) {
      if (problem.code !== 'below_reserved') throw problem;
      const reason = `${plural(problem.document.reserved, 'item')} are reserved for orders; there cannot be fewer on hand`;
      throw { errors: [{ pointer: `/${Object.keys(body)[0]}`, reason }] };
    }
  }
}

customElements.define('stock-row', StockRow);
export const stockRow = StockRow.of;
