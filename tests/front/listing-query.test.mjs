// parts/listing/query.js: the filters of a list, from the address and back, and as the API takes
// them.

import './fake-page.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, addressOfAll, addressOfPage, chipsOf, countText, filtersOf, pathInShop, pricesOf, usualSort } from '../../static/js/parts/listing/query.js';

const filters = (query, category) => filtersOf({ params: { category }, query });

test('an address without a query has no filters', () => {
  const none = filters({});
  assert.equal(addressOf(none), '/products');
  assert.equal(pathInShop(none), '/products?limit=24');
  assert.deepEqual(chipsOf(none, ''), []);
  assert.equal(none.before, 0);
});

test('the filters of an address lead to the same address', () => {
  const all = filters({ q: ' oak ', min: '10', max: '20', in_stock: 'true', sort: '-price' }, 'kitchen');
  assert.equal(addressOf(all), '/categories/kitchen?q=oak&sort=-price&in_stock=true&min=10&max=20');
});

test('the API gets cents', () => {
  const { searchParams } = new URL(pathInShop(filters({ min: '10', max: '20' })), 'https://shop.example');
  assert.equal(searchParams.get('min_price'), '1000');
  assert.equal(searchParams.get('max_price'), '2000');
});

test('invalid values are left out', () => {
  const wrong = filters({ sort: 'constructor', in_stock: 'yes', min: '-1', max: '1.5', before: 'x', q: 'a'.repeat(200) });
  assert.deepEqual([wrong.sort, wrong.inStock, wrong.min, wrong.max, wrong.before], ['', false, null, null, 0]);
  assert.deepEqual(Object.keys(wrong.errors), ['min', 'max']);
  assert.equal(wrong.q.length, 100);
});

test('an upper limit below the lower one is an error', () => {
  assert.deepEqual(pricesOf({ min: '20', max: '10' }), { min: null, max: null, errors: { max: 'Enter at least €20, the lower limit.' } });
  assert.deepEqual(pricesOf({ min: '20', max: '20' }), { min: 20, max: 20, errors: {} });
  assert.deepEqual(pricesOf({ min: '', max: ' 7 ' }), { min: null, max: 7, errors: {} });
});

test('the usual sort order is not in the address', () => {
  assert.equal(usualSort(''), 'name');
  assert.equal(usualSort('oak'), 'relevance');
  assert.equal(filters({ sort: 'name' }).sort, '');
  assert.equal(filters({ sort: 'relevance', q: 'oak' }).sort, '');
  assert.equal(filters({ sort: 'name', q: 'oak' }).sort, 'name');
});

test('each active filter can be removed alone, and all together', () => {
  const all = filters({ q: 'oak', min: '10', in_stock: 'true', sort: 'price' }, 'kitchen');
  const chips = chipsOf(all, 'Kitchen');
  assert.deepEqual(chips.map(({ label }) => label), ['“oak”', 'Kitchen', 'from €10', 'in stock']);
  assert.equal(chips[1].address, '/products?q=oak&sort=price&in_stock=true&min=10');
  assert.equal(addressOfAll(all), '/products?sort=price');
});

test('the address of a further page has its cursor; that of the first page has none', () => {
  const page = filters({ cursor: 'c1', before: '24' });
  assert.equal(page.before, 24);
  assert.equal(addressOfPage({ ...page, cursor: 'c2', before: 48 }), '/products?cursor=c2&before=48');
  assert.equal(addressOf(page), '/products');
  assert.equal(filters({ cursor: 'c1' }).before, null);
});

test('the count is as exact as it can be', () => {
  const categories = [{ slug: 'kitchen', product_count: 30 }, { slug: 'toys', product_count: 40 }];
  const page = (count, next) => ({ items: Array(count).fill({}), next_cursor: next });
  const text = (query, found, category) => countText(filters(query, category), found, categories);
  assert.equal(text({}, page(24, 'c')), '24 of 70 products');
  assert.equal(text({}, page(24, 'c'), 'kitchen'), '24 of 30 products');
  assert.equal(text({ cursor: 'c', before: '24' }, page(6, null), 'kitchen'), '25–30 of 30 products');
  assert.equal(text({ q: 'oak' }, page(1, null)), '1 product');
  assert.equal(text({ q: 'oak' }, page(24, 'c')), 'The first 24 products of more');
  assert.equal(text({ q: 'oak', cursor: 'c', before: '24' }, page(24, 'd')), 'Products 25–48 of more');
  assert.equal(text({ cursor: 'c' }, page(24, 'd')), '24 products on this page');
});
