// A list of products, by category, search text, price, stock and sort order. The address holds all
// of these.

import { get, Problem } from '../api.js';
import { productListing } from '../parts/listing/product-listing.js';
import { filtersOf, pathInShop } from '../parts/listing/query.js';
import { cardsOutline } from '../parts/outlines.js';

export const outline = ({ query }) => cardsOutline(query.q ? `“${query.q}”` : '');

export default async function listing(visit) {
  // A list that is shown already is updated, so that its fields keep their text and the focus.
  const list = document.querySelector('main > product-listing') ?? productListing();
  const filters = filtersOf(visit);
  list.begin(filters, visit.signal);
  const [found, categories] = await Promise.all([
    get(pathInShop(filters), { signal: visit.signal }).catch(problem => ({ problem })),
    list.categories(),
  ]);
  visit.signal.throwIfAborted();
  const isKnown = categories.some(({ slug }) => slug === filters.category);
  if (filters.category && categories.length && !isKnown) throw new Problem(404);
  return { title: list.show(filters, found, categories, visit.state), body: list };
}
