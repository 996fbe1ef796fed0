// A product in a list.

import { html } from '../html.js';
import { money } from '../format.js';

/** How a shop window speaks of what is left. */
export function stockWords(available) {
  if (available === 0) return 'Sold out';
  return available <= 5 ? `Only ${available} left` : 'In stock';
}

/** Where this version of the shop's files is: what is asked for there a browser keeps for ever. */
const FILES = new URL('../..', import.meta.url).pathname;
const lasting = src => (src.startsWith('/pictures/') ? FILES + src.slice(1) : src);

export const picture = (src, size, { lazy = true } = {}) =>
  html`<img class="picture" src=${lasting(src)} alt="" width=${size} height=${size} loading=${lazy ? 'lazy' : 'eager'} decoding="async">`;

const card = ({ slug, name, price, image, stock }, heading) => {
  const title = document.createElement(heading);
  title.append(html`<a href=${`/products/${slug}`}>${name}</a>`);
  return html`
    <li class="product-card">
      ${picture(image, 400)}
      ${title}
      <p class="price">${money(price)}</p>
      ${stock.available <= 5 && html`<p class=${`stock ${stock.available ? 'low' : 'none'}`}>${stockWords(stock.available)}</p>`}
    </li>`;
};

/** @param heading `h2` or `h3`, by where the list stands */
export const productCards = (products, heading = 'h2') =>
  html`<ul class="product-cards">${products.map(product => card(product, heading))}</ul>`;
