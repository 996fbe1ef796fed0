// Changes a product only if it is still as the operator saw it (If-Match): another operator's
// change is never overwritten.

import { getTagged, remove } from '../../api.js';
import { money, weight } from '../../format.js';
import { html } from '../../html.js';
import { confirmed } from '../dialog.js';

const pathOf = id => `/products/${encodeURIComponent(id)}`;

/** @returns {Promise<{etag: string, body: object}>} the product and its entity tag */
export const see = (id, options) => getTagged(pathOf(id), options);

/** Another operator changed the product; `now` is the current one, with its entity tag. */
export class ChangedMeanwhile extends Error {
  detail = 'The product was changed in the meantime.';

  constructor(now) {
    super();
    this.now = now;
  }
}

/**
 * The entity tag also changes with every sale. Then the same change is tried again with the new
 * tag.
 */
const MAX_TRIES = 5;

/** @param change `(path, etag) => Promise`: sends the change with this entity tag */
export async function changeSeen(seen, change) {
  const { id, version } = seen.body;
  let now = seen;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await change(pathOf(id), now.etag);
    } catch (problem) {
      if (problem.status !== 412 || attempt === MAX_TRIES) throw problem;
      now = await see(id);
      if (now.body.version !== version) throw new ChangedMeanwhile(now);
    }
  }
}

const yesNo = value => (value ? 'yes' : 'no');
const ASPECTS = {
  name: ['Name', String],
  slug: ['Address', String],
  description: ['Description', String],
  category: ['Category', String],
  price: ['Price', money],
  image: ['Picture', String],
  weight_grams: ['Weight', weight],
  tags: ['Tags', tags => tags.join(', ') || 'none'],
  featured: ['Featured', yesNo],
  retired: ['Retired', yesNo],
};

/** A list of the fields that differ. */
export function differences(before, now) {
  const all = Object.entries(ASPECTS).map(([aspect, [name, text]]) => [name, text(before[aspect]), text(now[aspect])]);
  return html`<ul>${all.filter(([, one, other]) => one !== other).map(([name, one, other]) => html`<li>${name}: was ${one}, now ${other}</li>`)}</ul>`;
}

/** The fields of `wanted` that differ from the product's: the body of a PATCH request. */
export const changesTo = (product, wanted) =>
  Object.fromEntries(Object.entries(wanted).filter(([aspect, value]) => JSON.stringify(value) !== JSON.stringify(product[aspect])));

export const mayRetire = ({ name }) => confirmed({
  title: `Retire ${name}?`,
  text: 'Customers cannot buy it any more. Existing orders keep it. This cannot be undone: to sell it again, add a new product.',
  yes: 'Yes, retire it',
});

export const retireSeen = seen => changeSeen(seen, (path, ifMatch) => remove(path, { ifMatch }));
