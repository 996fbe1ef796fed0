// All that is on sale, for lists that the shop's searches do not sort as the desk needs them.

import { get, withQuery } from '../../api.js';

/** As few pieces or fewer are called low. */
export const LOW = 5;

/** How a number of pieces is coloured. */
export function stockKind(available) {
  if (available === 0) return 'none';
  return available <= LOW ? 'low' : '';
}

/** As many as one answer holds. */
const PAGE = 100;
const MOST_PAGES = 20;

/** @returns {Promise<{items: object[], isAll: boolean}>} the products on sale that answer to `q`; `isAll` unless there are too many */
export async function wholeCatalogue({ q, signal }) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const found = await get(withQuery('/products', { q, sort: q ? '' : 'name', limit: PAGE, cursor }), { signal });
    items.push(...found.items);
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return { items, isAll: !cursor };
}

/** What runs out first, first. */
export const scarceFirst = products => products.toSorted((one, other) => one.stock.available - other.stock.available);
