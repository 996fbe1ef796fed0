// The filters of a product list: read from the page's address, written to an address, sent to the
// API. Pure.

import { withQuery } from '../../api.js';
import { plural } from '../../format.js';

export const SORTS = { relevance: 'Best match', name: 'Name', price: 'Price, low to high', '-price': 'Price, high to low', '-created_at': 'Newest' };

const PAGE_SIZE = 24;
const MAX_QUERY_LENGTH = 100;

/**
 * Invalid values in the address are ignored; for a price `errors` also says what is wrong.
 * Prices are whole euros here; `pathInShop` converts them to the API's cents.
 */
export function filtersOf({ params, query }) {
  const q = (query.q ?? '').trim().slice(0, MAX_QUERY_LENGTH);
  const typed = { min: query.min ?? '', max: query.max ?? '' };
  const sort = Object.hasOwn(SORTS, query.sort ?? '') ? query.sort : '';
  return {
    category: params.category ?? '',
    q,
    sort: sort === usualSort(q) ? '' : sort,
    inStock: query.in_stock === 'true',
    typed,
    ...pricesOf(typed),
    cursor: query.cursor ?? '',
    /** The number of products on the previous pages; `null` if the address does not contain it. */
    before: /^\d{1,7}$/.test(query.before) ? Number(query.before) : query.cursor ? null : 0,
  };
}

export const usualSort = q => (q ? 'relevance' : 'name');

/**
 * @returns `min` and `max` in whole euros, `null` where empty or invalid, and an error text for
 *   each invalid field
 */
export function pricesOf(typed) {
  const errors = {};
  const euros = name => {
    const text = typed[name].trim();
    if (text && !/^\d{1,7}$/.test(text)) errors[name] = 'Enter whole euros, such as 25.';
    return text && !errors[name] ? Number(text) : null;
  };
  const [min, max] = [euros('min'), euros('max')];
  if (min === null || max === null || min <= max) return { min, max, errors };
  return { min: null, max: null, errors: { max: `Enter at least €${min}, the lower limit.` } };
}

/** The address of the first page with these filters. */
export const addressOf = filters => addressOfPage({ ...filters, cursor: '', before: null });

export const addressOfPage = ({ category, q, sort, inStock, min, max, cursor, before }) =>
  withQuery(category ? `/categories/${encodeURIComponent(category)}` : '/products', { q, sort, in_stock: inStock ? 'true' : '', min, max, cursor, before });

const cents = euros => (euros === null ? null : euros * 100);

export const pathInShop = ({ category, q, sort, inStock, min, max, cursor }) => withQuery('/products', {
  q, category, sort, in_stock: inStock ? 'true' : '', min_price: cents(min), max_price: cents(max), cursor, limit: PAGE_SIZE,
});

const NO_FILTERS = { category: '', q: '', inStock: false, min: null, max: null };

/** Each active filter: its label, and the address of the list without it. */
export function chipsOf(filters, categoryName) {
  const { category, q, inStock, min, max } = filters;
  const chips = [
    q && [`“${q}”`, { q: '' }],
    category && [categoryName, { category: '' }],
    min !== null && [`from €${min}`, { min: null }],
    max !== null && [`up to €${max}`, { max: null }],
    inStock && ['in stock', { inStock: false }],
  ];
  return chips.filter(Boolean).map(([label, less]) => ({ label, address: addressOf({ ...filters, ...less }) }));
}

/** All products, in the same sort order. */
export const addressOfAll = filters => addressOf({ ...filters, ...NO_FILTERS });

/**
 * The number of products, as far as it is known. The API does not count a filtered list: without
 * filters the categories' counts are added, and on the last page the previous pages are.
 */
export function countText(filters, { items, next_cursor: next }, categories) {
  const { category, q, inStock, min, max, before } = filters;
  const here = items.length;
  const products = count => plural(count, 'product');
  if (before === null) return `${products(here)} on this page`;
  const isUnfiltered = !q && !inStock && min === null && max === null;
  const inAll = isUnfiltered && categories.length
    ? categories.filter(({ slug }) => !category || slug === category).reduce((sum, { product_count: count }) => sum + count, 0)
    : null;
  const total = next ? inAll : before + here;
  const range = before ? `${before + 1}–${before + here}` : here;
  if (total === null || total < before + here) return before ? `Products ${range} of more` : `The first ${products(here)} of more`;
  return total === here ? products(total) : `${range} of ${products(total)}`;
}
