// A product in a list, its picture, and its stock as text.

import { html } from '../html.js';
import { money } from '../format.js';

export function stockLabel(available) {
  if (available === 0) return 'Sold out';
  return available <= 5 ? `Only ${available} left` : 'In stock';
}

/**
 * The folder of this version of the files (`/v/…/`): a browser caches its files without asking
 * again.
 */
const VERSION_FOLDER = new URL('../..', import.meta.url).pathname;
const versioned = src => (src.startsWith('/pictures/') ? VERSION_FOLDER + src.slice(1) : src);

export const picture = (src, size, { lazy = true } = {}) =>
  html`<img class="picture" src=${versioned(src)} alt="" width=${size} height=${size} loading=${lazy ? 'lazy' : 'eager'} decoding="async">`;

const card = ({ slug, name, price, image, stock }, heading) => {
  const title = document.createElement(heading);
  title.append(html`<a href=${`/products/${slug}`}>${name}</a>`);
  return html`
    <li class="product-card">
      ${picture(image, 400)}
      ${title}
      <p class="price">${money(price)}</p>
      ${stock.available <= 5 && html`<p class=${`stock ${stock.available ? 'low' : 'none'}`}>${stockLabel(stock.available)}</p>`}
    </li>`;
};

/** @param heading `h2` or `h3`: one level below the list's own heading */
export const productCards = (products, heading = 'h2') =>
  html`<ul class="product-cards">${products.map(product => card(product, heading))}</ul>`;
