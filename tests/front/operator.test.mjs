// parts/operator: typed prices, slugs, checks of a product, and changes that never overwrite
// another operator's.

import { answers } from './fake-page.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stockKind, scarceFirst, wholeCatalogue } from '../../static/js/parts/operator/catalogue.js';
import { changesTo, changeSeen, ChangedMeanwhile } from '../../static/js/parts/operator/changes.js';
import { centsOf, typedEuros } from '../../static/js/parts/operator/euros.js';
import { check, slugOf } from '../../static/js/parts/operator/product-form.js';

test('a typed price is whole cents', () => {
  for (const [typed, cents] of [['19.9', 1990], ['19,90', 1990], ['€ 5', 500], ['0.05', 5], ['12345678.99', 1234567899]]) assert.equal(centsOf(typed), cents, typed);
  for (const wrong of ['', undefined, '1.234', '-1', '1e3', 'ten', '1.', '123456789']) assert.equal(centsOf(wrong), null, String(wrong));
});

test('cents are written as they can be typed', () => {
  for (const cents of [0, 5, 99, 100, 1990, 1234567899]) assert.equal(centsOf(typedEuros(cents)), cents);
  assert.equal(typedEuros(1990), '19.90');
});

test('a slug has only lower-case letters, digits and single hyphens', () => {
  assert.equal(slugOf('Crème brûlée (6)'), 'creme-brulee-6');
  assert.equal(slugOf('  --A  &  B--  '), 'a-b');
  assert.equal(slugOf('x'.repeat(100)).length, 80);
  assert.equal(slugOf('日本'), '');
});

const LISTING = { price: { amount: 1 }, tags: [], category: 'kitchen' };
const wrongFields = listing => {
  try {
    check({ ...LISTING, ...listing });
    return [];
  } catch ({ errors }) {
    return errors.map(({ pointer }) => pointer);
  }
};

test('a product is checked before it is sent', () => {
  assert.deepEqual(wrongFields({}), []);
  for (const price of [null, { amount: 0 }, { amount: 100_000_001 }]) assert.deepEqual(wrongFields({ price }), ['/price']);
  assert.deepEqual(wrongFields({ price: { amount: 100_000_000 } }), []);
  assert.deepEqual(wrongFields({ tags: Array(13).fill('a') }), ['/tags']);
  assert.deepEqual(wrongFields({ tags: ['a'.repeat(41)] }), ['/tags']);
  assert.deepEqual(wrongFields({ category: '', price: null }), ['/price', '/category_name']);
});

test('only fields that differ are sent', () => {
  const product = { name: 'A', tags: ['x'], price: { amount: 1 }, version: 3 };
  assert.deepEqual(changesTo(product, { name: 'A', tags: ['x'], price: { amount: 2 } }), { price: { amount: 2 } });
});

const SEEN = { etag: '"1"', body: { id: 'prd_1', version: 7 } };
const refusal = () => Object.assign(new Error(), { status: 412 });

test('a change whose product was only sold meanwhile is tried with the new entity tag', async () => {
  answers([200, { id: 'prd_1', version: 7 }, { ETag: '"2"' }]);
  const tags = [];
  await changeSeen(SEEN, async (_, etag) => {
    tags.push(etag);
    if (etag === '"1"') throw refusal();
  });
  assert.deepEqual(tags, ['"1"', '"2"']);
});

test('a change of a product that another operator changed is not made', async () => {
  answers([200, { id: 'prd_1', version: 8 }, { ETag: '"2"' }]);
  await assert.rejects(changeSeen(SEEN, async () => { throw refusal(); }), problem => {
    assert.ok(problem instanceof ChangedMeanwhile);
    assert.equal(problem.now.body.version, 8);
    return true;
  });
});

test('a change is given up after five tries', async () => {
  answers(...Array.from({ length: 4 }, () => [200, { id: 'prd_1', version: 7 }, { ETag: '"x"' }]));
  let tries = 0;
  await assert.rejects(changeSeen(SEEN, async () => {
    tries += 1;
    throw refusal();
  }), { status: 412 });
  assert.equal(tries, 5);
});

test('the catalogue is read page by page', async () => {
  const requests = answers([200, { items: [1], next_cursor: 'c' }], [200, { items: [2], next_cursor: null }]);
  assert.deepEqual(await wholeCatalogue({}), { items: [1, 2], isAll: true });
  assert.match(requests[1].path, /cursor=c/);
});

test('low stock comes first and has its colour', () => {
  const stocks = [3, 0, 9].map(available => ({ stock: { available } }));
  assert.deepEqual(scarceFirst(stocks).map(({ stock }) => stock.available), [0, 3, 9]);
  assert.deepEqual([0, 5, 6].map(stockKind), ['none', 'low', '']);
});
