// <product-row>: one product for the operator: links to edit and to see it, and a button to retire
// it.

import { html, render } from '../../html.js';
import { money } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { announce, problemNotice } from '../../notices.js';
import { picture } from '../product-card.js';
import { ChangedMeanwhile, differences, mayRetire, retireSeen, see } from './changes.js';

class ProductRow extends HTMLElement {
  #product;

  static of(product) {
    const row = document.createElement('product-row');
    row.#product = product;
    row.#draw();
    return row;
  }

  #draw(message = null) {
    const { id, slug, name, category, price, image, stock, featured } = this.#product;
    render(this, html`
      <div class="work-row">
        <div class="work-thing">
          ${picture(image, 56)}
          <div>
            <a id=${`product-${id}`} href=${`/operator/products/${id}`}>${name}</a>
            <p class="soft">${category}, ${stock.available} available${featured && ', featured'}</p>
          </div>
        </div>
        <p class="amount">${money(price)}</p>
        <div class="deeds few">
          <a class="button quiet" href=${`/operator/products/${id}`} aria-label=${`Edit: ${name}`}>Edit</a>
          <a class="button quiet" href=${`/products/${slug}`} aria-label=${`Show in the shop: ${name}`}>Show in the shop</a>
          <button type="button" class="quiet" id=${`retire-${id}`} aria-label=${`Retire: ${name}`} onclick=${() => this.#retire()}>Retire</button>
        </div>
      </div>
      ${message}`);
  }

  async #retire() {
    const product = this.#product;
    if (!await mayRetire(product)) return;
    await whileBusy(this, async () => {
      try {
        const seen = await see(product.id);
        if (seen.body.version !== product.version) throw new ChangedMeanwhile(seen);
        await retireSeen(seen);
        this.#drawRetired();
      } catch (problem) {
        if (problem instanceof ChangedMeanwhile) this.#drawChanged(problem.now.body);
        else this.#draw(problemNotice(problem));
      }
    });
  }

  #drawRetired() {
    const text = `${this.#product.name} is retired.`;
    render(this, html`<p class="soft" tabindex="-1">${text}</p>`);
    this.firstElementChild.focus();
    announce(text);
  }

  #drawChanged(now) {
    const before = this.#product;
    this.#product = now;
    if (now.retired) {
      this.#drawRetired();
      return;
    }
    this.#draw(html`
      <div class="notice bad" role="alert">
        <p>The product was changed in the meantime, so it was not retired. Check the changes, and retire it again if you still want to.</p>
        ${differences(before, now)}
      </div>`);
  }
}

customElements.define('product-row', ProductRow);
export const productRow = ProductRow.of;
