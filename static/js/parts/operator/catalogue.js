// All products, for lists in an order that the API does not offer.

import { get, withQuery } from '../../api.js';

/** So many items or fewer are low stock. */
export const LOW = 5;

/** The class that colours a stock level. */
export function stockKind(available) {
  if (available === 0) return 'none';
  return available <= LOW ? 'low' : '';
}

/** The most products in one answer. */
const PAGE_SIZE = 100;
const MAX_PAGES = 20;

/**
 * @returns {Promise<{items: object[], isAll: boolean}>} the products that match `q`; `isAll` is
 *   false if there are more than 2,000
 */
export async function wholeCatalogue({ q, signal }) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const found = await get(withQuery('/products', { q, sort: q ? '' : 'name', limit: PAGE_SIZE, cursor }), { signal });
    items.push(...found.items);
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return { items, isAll: !cursor };
}

/** Sorted by stock, the lowest first. */
export const scarceFirst = products => products.toSorted((one, other) => one.stock.available - other.stock.available);
