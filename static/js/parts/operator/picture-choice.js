// The choice of a product's picture from the pictures of all products.

import { html } from '../../html.js';
import { picture } from '../product-card.js';

/** The picture of a product without its own. */
export const PLAIN = '/pictures/plain.svg';

/** `/pictures/moka-pot.svg` is “moka pot” */
const nameOf = path => path.split('/').pop().replace(/\.\w+$/, '').replaceAll('-', ' ');

export function pictureChoice(paths, chosen) {
  const all = [...new Set([chosen, PLAIN, ...paths])];
  return html`
    <fieldset class="wide">
      <legend>Picture</legend>
      <div class="picture-choices">${all.map((path, at) => html`
        <label class="picture-choice" for=${`picture-${at}`}>
          <input type="radio" id=${`picture-${at}`} name="image" value=${path} checked=${path === chosen}>
          ${picture(path, 80)}
          <span class="visually-hidden">${nameOf(path)}</span>
        </label>`)}
      </div>
    </fieldset>`;
}
