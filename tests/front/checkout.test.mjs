// parts/checkout/refusals.js: what the customer reads after a failed order. parts/card-fields.js:
// the card's number.

import './fake-page.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cardOf, isCardNumber } from '../../static/js/parts/card-fields.js';
import { isDecided, refusalOf } from '../../static/js/parts/checkout/refusals.js';

const ITEMS = [{ product_id: 'prd_1', name: 'Kettle' }];

test('an order is decided unless its answer is lost', () => {
  for (const undecided of [{ status: 0 }, { status: 502 }, { status: 504 }, { status: 503, code: 'unavailable' }, { status: 500 }, { status: 409, code: 'idempotency_in_flight' }]) {
    assert.equal(isDecided(undecided), false, JSON.stringify(undecided));
  }
  for (const decided of [{ status: 402 }, { status: 409, code: 'out_of_stock' }, { status: 422 }, { status: 503, code: 'order_not_possible' }]) {
    assert.equal(isDecided(decided), true, JSON.stringify(decided));
  }
});

test('a declined payment is shown at the card, an undeliverable order at the address', () => {
  assert.equal(refusalOf({ status: 402, code: 'payment_declined' }, ITEMS).step, 'payment');
  assert.equal(refusalOf({ status: 422, code: 'undeliverable' }, ITEMS).step, 'address');
});

test('missing stock is named by product', () => {
  const lines = [{ product_id: 'prd_1', requested: 3, available: 1 }, { product_id: 'prd_2', requested: 1, available: 0 }];
  const { step, problem } = refusalOf({ status: 409, code: 'out_of_stock', detail: 'Sold out.', document: { lines } }, ITEMS);
  assert.equal(step, 'summary');
  assert.equal(problem.detail, 'Sold out. Kettle: 3 ordered, 1 available. A product: 1 ordered, 0 available. Edit the cart and try again.');
});

test('an undecided order says that it is safe to try again', () => {
  const { step, problem } = refusalOf({ status: 0, detail: 'No network.' }, ITEMS);
  assert.equal(step, 'summary');
  assert.match(problem.detail, /^No network\. .*never placed twice\.$/);
});

test('any other refusal is shown as it is', () => {
  const problem = { status: 422, code: 'invalid_input', detail: 'No.' };
  assert.deepEqual(refusalOf(problem, ITEMS), { step: 'summary', problem });
});

test('a card number has a check digit', () => {
  for (const valid of ['4242424242424242', '4242 4242 4242 4242', '3782-822463-10005', '5555555555554444']) assert.ok(isCardNumber(valid), valid);
  for (const invalid of ['4242424242424243', '42424242424', '4242424242424242424242', '4242x24242424242', '']) assert.ok(!isCardNumber(invalid), invalid);
});

test('a card goes to the API with numbers for its expiry', () => {
  const card = cardOf({ number: '4242', exp_month: '03', exp_year: '2028', cvc: '012', name: 'A', keep: 'true' });
  assert.deepEqual(card, { number: '4242', exp_month: 3, exp_year: 2028, cvc: '012', name: 'A' });
});
