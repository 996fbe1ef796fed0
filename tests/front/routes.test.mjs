// routes.js: from an address to a page and its parameters.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decoded, queryOf, routeAt, routesOf } from '../../static/js/routes.js';

const ROUTES = routesOf([
  ['/', 'home'],
  ['/products', 'listing'],
  ['/operator/products/new', 'new'],
  ['/operator/products/:id', 'edit'],
  ['/a/:one/b/:two', 'two'],
]);
const at = path => routeAt(ROUTES, path);

test('a path finds its page', () => {
  assert.deepEqual(at('/'), { load: 'home', params: {} });
  assert.deepEqual(at('/products'), { load: 'listing', params: {} });
});

test('a slash at the end of a path does not count', () => {
  assert.equal(at('/products/').load, 'listing');
  assert.equal(at('/products//'), null);
});

test('the first row that fits is taken', () => {
  assert.equal(at('/operator/products/new').load, 'new');
  assert.deepEqual(at('/operator/products/newer'), { load: 'edit', params: { id: 'newer' } });
});

test('a parameter is one part of the path, and never empty', () => {
  assert.deepEqual(at('/a/x y/b/ü').params, { one: 'x y', two: 'ü' });
  assert.equal(at('/operator/products/1/2'), null);
  assert.equal(at('/a//b/2'), null);
});

test('a path matches as a whole, and by the case of its letters', () => {
  for (const path of ['', '/product', '/productsx', '/x/products', '/Products']) assert.equal(at(path), null, path);
});

test('a path is decoded; one that is not encoded correctly stays as it is', () => {
  assert.equal(decoded('/products/caf%C3%A9'), '/products/café');
  assert.equal(decoded('/products/%2Fx'), '/products/%2Fx');
  assert.equal(decoded('/products/100%'), '/products/100%');
  assert.equal(decoded('/%E0%A4%A'), '/%E0%A4%A');
});

test('a query is read by name, and of two values the last counts', () => {
  assert.deepEqual(queryOf(''), {});
  assert.deepEqual(queryOf('?q=oak+board&in_stock=true&empty='), { q: 'oak board', in_stock: 'true', empty: '' });
  assert.deepEqual(queryOf('?a=1&a=2'), { a: '2' });
});
