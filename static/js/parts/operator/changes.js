// Changes to a product as it was seen: where somebody else changed it meanwhile, nothing is written over.

import { getTagged, remove } from '../../api.js';
import { money, weight } from '../../format.js';
import { html } from '../../html.js';
import { confirmed } from '../dialog.js';

const pathOf = id => `/products/${encodeURIComponent(id)}`;

/** @returns {Promise<{etag: string, body: object}>} the product as it is seen now */
export const see = (id, options) => getTagged(pathOf(id), options);

/** The product is another than the one that was seen; `now` is what is to be seen now. */
export class ChangedMeanwhile extends Error {
  detail = 'Somebody changed it meanwhile.';

  constructor(now) {
    super();
    this.now = now;
  }
}

/** Its tag is another with every piece that is sold, too: that is no change to stop for. */
const TRIES = 5;

/** @param change `(path, etag)` makes the change to just this version */
export async function changeSeen(seen, change) {
  const { id, version } = seen.body;
  let now = seen;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await change(pathOf(id), now.etag);
    } catch (problem) {
      if (problem.status !== 412 || attempt === TRIES) throw problem;
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
  featured: ['On the first page', yesNo],
  retired: ['Retired', yesNo],
};

/** All that differs, in words. */
export function differences(before, now) {
  const all = Object.entries(ASPECTS).map(([aspect, [name, words]]) => [name, words(before[aspect]), words(now[aspect])]);
  return html`<ul>${all.filter(([, one, other]) => one !== other).map(([name, one, other]) => html`<li>${name}: was ${one}, is ${other} now</li>`)}</ul>`;
}

/** What of `wanted` is another than it is in `product`: what a change has to say. */
export const changesTo = (product, wanted) =>
  Object.fromEntries(Object.entries(wanted).filter(([aspect, value]) => JSON.stringify(value) !== JSON.stringify(product[aspect])));

export const mayRetire = ({ name }) => confirmed({
  title: `Retire ${name}?`,
  words: 'It is sold no longer. Orders keep what they bought. There is no way back: to sell it again, add it anew.',
  yes: 'Yes, retire it',
});

export const retireSeen = seen => changeSeen(seen, (path, ifMatch) => remove(path, { ifMatch }));
