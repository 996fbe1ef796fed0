// api.js and session.js: problems as exceptions, retries only where they are safe, one renewal of a
// session.

import { answers, events, stored, withoutWaiting } from './fake-page.mjs';
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Attempt, get, getTagged, openSession, post, Problem, put, remove, withQuery } from '../../static/js/api.js';
import { isFresh, isSignedIn, keepSession } from '../../static/js/session.js';

const UNAVAILABLE = [503, { code: 'unavailable' }, { 'Retry-After': '2' }];

beforeEach(() => {
  stored.clear();
  events.length = 0;
});

test('an answer is its body, and one without a body is null', async () => {
  const requests = answers([200, { id: 1 }], [204]);
  assert.deepEqual(await get('/products'), { id: 1 });
  assert.equal(await remove('/cart'), null);
  assert.deepEqual(requests.map(({ method, path }) => `${method} ${path}`), ['GET /api/v1/products', 'DELETE /api/v1/cart']);
});

test('a problem document is an exception with all that it says', async () => {
  answers([422, { code: 'invalid_input', detail: 'No.', errors: [{ pointer: '/a', reason: 'b' }], trace_id: 't' }]);
  await assert.rejects(post('/orders', {}), problem => {
    assert.ok(problem instanceof Problem);
    assert.deepEqual([problem.status, problem.code, problem.detail, problem.traceId], [422, 'invalid_input', 'No.', 't']);
    assert.deepEqual(problem.errors, [{ pointer: '/a', reason: 'b' }]);
    return true;
  });
});

test('an answer that is not JSON is a problem by its status', async () => {
  answers([500, undefined, { 'Content-Type': 'text/plain', 'Retry-After': '7' }]);
  await assert.rejects(post('/orders', {}), { status: 500, code: 'unknown', retryAfter: 7 });
});

test('a GET request is tried twice', async context => {
  const delays = withoutWaiting(context);
  const requests = answers(UNAVAILABLE, [200, { id: 1 }]);
  assert.deepEqual(await get('/products'), { id: 1 });
  assert.equal(requests.length, 2);
  assert.deepEqual(delays, [2000]);
});

test('a POST request without a key is tried once', async () => {
  const requests = answers(UNAVAILABLE);
  await assert.rejects(post('/orders', {}), { status: 503, retryAfter: 2 });
  assert.equal(requests.length, 1);
});

test('a POST request with a key is tried four times with the same key and body', async context => {
  withoutWaiting(context);
  const requests = answers(new TypeError('no network'), [502], [409, { code: 'idempotency_in_flight' }], [201, { id: 'ord_1' }]);
  assert.deepEqual(await post('/orders', { a: 1 }, { key: 'k' }), { id: 'ord_1' });
  assert.deepEqual(requests.map(({ headers, body }) => [headers['Idempotency-Key'], body.a]), Array(4).fill(['k', 1]));
});

test('a decision is not tried again, with or without a key', async () => {
  for (const decision of [[402, { code: 'payment_declined' }], [409, { code: 'out_of_stock' }], [503, { code: 'order_not_possible' }]]) {
    const requests = answers(decision);
    await assert.rejects(post('/orders', {}, { key: 'k' }), { status: decision[0] });
    assert.equal(requests.length, 1);
  }
});

test('without a network the problem says so', async context => {
  withoutWaiting(context);
  answers(new TypeError('no network'), new TypeError('no network'));
  await assert.rejects(get('/products'), { status: 0, code: 'unreachable' });
});

test('a request that is aborted is not tried again', async () => {
  const requests = answers(Object.assign(new Error('aborted'), { name: 'AbortError' }));
  await assert.rejects(get('/products'), { name: 'AbortError' });
  assert.equal(requests.length, 1);
});

test('a change may depend on the entity tag that was read', async () => {
  const requests = answers([200, { id: 1 }, { ETag: '"v1"' }], [200, {}]);
  const { etag, body } = await getTagged('/products/1');
  assert.deepEqual([etag, body], ['"v1"', { id: 1 }]);
  await put('/products/1', {}, { ifMatch: etag });
  assert.equal(requests[1].headers['If-Match'], '"v1"');
});

test('signing in remembers how long the session lasts', async () => {
  answers([200, { user: { id: 'u' }, expires_in: 900 }]);
  assert.deepEqual(await openSession('/sessions', {}), { id: 'u' });
  assert.ok(isSignedIn() && isFresh());
});

test('an expired session is renewed before a request', async () => {
  keepSession(1);
  const requests = answers([200, { expires_in: 900 }], [200, {}]);
  await get('/account');
  assert.deepEqual(requests.map(({ path }) => path), ['/api/v1/sessions/refresh', '/api/v1/account']);
  assert.ok(isFresh());
});

test('a session that the API does not accept is renewed once, and the request is sent again', async () => {
  keepSession(900);
  const requests = answers([401, {}], [200, { expires_in: 1800 }], [200, { id: 1 }]);
  assert.deepEqual(await get('/account'), { id: 1 });
  assert.equal(requests.length, 3);
});

test('two requests share one renewal', async () => {
  keepSession(1);
  const requests = answers([200, { expires_in: 900 }], [200, {}], [200, {}]);
  await Promise.all([get('/account'), get('/cart')]);
  assert.equal(requests.filter(({ path }) => path.endsWith('/refresh')).length, 1);
});

test('only a refused renewal ends the session', async () => {
  for (const [status, isEnded] of [[401, true], [429, false], [503, false]]) {
    stored.clear();
    events.length = 0;
    keepSession(1);
    answers([status, {}], [200, {}]);
    await get('/products');
    assert.equal(isSignedIn(), !isEnded, `status ${status}`);
    assert.deepEqual(events, isEnded ? ['session-ended'] : []);
  }
});

test('a query leaves out empty values and encodes the others', () => {
  assert.equal(withQuery('/products', { q: '', cursor: null, page: undefined }), '/products');
  assert.equal(withQuery('/products', { q: 'a&b c', page: 0, all: false }), '/products?q=a%26b+c&page=0&all=false');
});

test('an attempt keeps its key for the same body until it is settled', () => {
  const attempt = new Attempt();
  const first = attempt.keyFor({ a: 1 });
  assert.equal(attempt.keyFor({ a: 1 }), first);
  const second = attempt.keyFor({ a: 2 });
  assert.notEqual(second, first);
  attempt.settle();
  assert.notEqual(attempt.keyFor({ a: 2 }), second);
});
