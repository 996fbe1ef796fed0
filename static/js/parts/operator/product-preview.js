// A preview of a product as customers will see it: in a list and on its page. Not interactive.

import { html, render } from '../../html.js';
import { money, weight } from '../../format.js';
import { picture, productCards, stockLabel } from '../product-card.js';
import { stockKind } from './catalogue.js';
import { PLAIN } from './picture-choice.js';

/** @returns an element with `show(listing)` */
export function productPreview(stock) {
  const place = html`<div class="preview" inert></div>`.firstElementChild;
  place.show = listing => render(place, contents(shown(listing, stock)));
  return place;
}

/** Placeholders for the fields that are still empty. */
const shown = (listing, stock) => ({
  ...listing,
  slug: listing.slug ?? '',
  name: listing.name ?? 'No name yet',
  image: listing.image ?? PLAIN,
  price: listing.price ?? { amount: 0, currency: 'EUR' },
  stock: stock ?? { available: listing.on_hand ?? 0 },
});

const contents = product => html`
  <h3 class="soft">In a list</h3>
  ${productCards([product], 'h4')}
  <h3 class="soft">On its own page</h3>
  <div class="product">
    <div class="product-picture">${picture(product.image, 320)}</div>
    <div class="product-words">
      <p class="preview-name">${product.name}</p>
      <p class="price">${money(product.price)}</p>
      <p class=${`stock ${stockKind(product.stock.available)}`}>${stockLabel(product.stock.available)}</p>
      <p class="description">${product.description}</p>
      <dl class="facts">
        ${product.weight_grams > 0 && html`<div><dt>Weight</dt><dd>${weight(product.weight_grams)}</dd></div>`}
        ${product.tags.length > 0 && html`<div><dt>Tags</dt><dd>${product.tags.join(', ')}</dd></div>`}
      </dl>
    </div>
  </div>`;
