// What a list of products is asked for: read from the page's address, written into one, and put to the shop.

import { withQuery } from '../api.js';

export const SORTS = { relevance: 'Best match', name: 'Name', price: 'Price, low to high', '-price': 'Price, high to low', '-created_at': 'Newest' };

const PAGE_SIZE = 24;
const MOST_LETTERS = 100;

/**
 * An address may say anything: what makes no sense is left out, and said in `errors` where it was meant as a price.
 * Prices are whole euros here, and the shop's minor units only in `pathInShop`.
 */
export function filtersOf({ params, query }) {
  const q = (query.q ?? '').trim().slice(0, MOST_LETTERS);
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
    /** How many came on the pages before this one; `null` if the address does not tell. */
    before: /^\d{1,7}$/.test(query.before) ? Number(query.before) : query.cursor ? null : 0,
  };
}

export const usualSort = q => (q ? 'relevance' : 'name');

/** Two fields as they were typed: `min` and `max` if they make sense, and else what is wrong with which. */
export function pricesOf(typed) {
  const errors = {};
  const euros = name => {
    const text = typed[name].trim();
    if (text && !/^\d{1,7}$/.test(text)) errors[name] = 'Give whole euros, such as 25.';
    return text && !errors[name] ? Number(text) : null;
  };
  const [min, max] = [euros('min'), euros('max')];
  if (min === null || max === null || min <= max) return { min, max, errors };
  return { min: null, max: null, errors: { max: `That is less than the €${min} it is to begin at.` } };
}

/** Where the list with these filters begins. */
export const addressOf = filters => addressOfPage({ ...filters, cursor: '', before: null });

export const addressOfPage = ({ category, q, sort, inStock, min, max, cursor, before }) =>
  withQuery(category ? `/categories/${encodeURIComponent(category)}` : '/products', { q, sort, in_stock: inStock ? 'true' : '', min, max, cursor, before });

const cents = euros => (euros === null ? null : euros * 100);

export const pathInShop = ({ category, q, sort, inStock, min, max, cursor }) => withQuery('/products', {
  q, category, sort, in_stock: inStock ? 'true' : '', min_price: cents(min), max_price: cents(max), cursor, limit: PAGE_SIZE,
});

const NOTHING = { category: '', q: '', inStock: false, min: null, max: null };

/** Each filter that narrows the list, in words, with the address of the list without it. */
export function chipsOf(filters, categoryName) {
  const { category, q, inStock, min, max } = filters;
  const chips = [
    q && [`“${q}”`, { q: '' }],
    category && [categoryName, { category: '' }],
    min !== null && [`from €${min}`, { min: null }],
    max !== null && [`up to €${max}`, { max: null }],
    inStock && ['in stock', { inStock: false }],
  ];
  return chips.filter(Boolean).map(([words, less]) => ({ words, address: addressOf({ ...filters, ...less }) }));
}

/** The same order of everything there is. */
export const addressOfAll = filters => addressOf({ ...filters, ...NOTHING });

/** How many there are, as far as that can be told: without a filter by the departments, and with the last page by counting. */
export function countWords(filters, { items, next_cursor: next }, categories) {
  const { category, q, inStock, min, max, before } = filters;
  const here = items.length;
  const things = count => (count === 1 ? '1 thing' : `${count} things`);
  if (before === null) return `${things(here)} on this page`;
  const isWhole = !q && !inStock && min === null && max === null;
  const inAll = isWhole && categories.length
    ? categories.filter(({ slug }) => !category || slug === category).reduce((sum, { product_count: count }) => sum + count, 0)
    : null;
  const total = next ? inAll : before + here;
  const range = before ? `${before + 1}–${before + here}` : here;
  if (total === null || total < before + here) return before ? `Things ${range}, and there are more` : `The first ${things(here)}; there are more`;
  return total === here ? things(total) : `${range} of ${things(total)}`;
}
