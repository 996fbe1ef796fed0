// labels.js: the API's codes as text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brand, card, expiry, reason } from '../../static/js/labels.js';

test('a card is named by its brand and its last digits', () => {
  assert.equal(card({ brand: 'visa', last4: '4242' }), 'Visa ending in 4242');
  assert.equal(brand('another'), 'another');
  assert.equal(expiry({ exp_month: 3, exp_year: 2028 }), '03/2028');
});

test('a declined payment says why', () => {
  assert.match(reason({ reason: 'payment_declined', decline_code: 'expired_card' }), /the card has expired\. Nothing was charged\.$/);
});

test('a lost or stolen card reads as any declined card', () => {
  const any = reason({ reason: 'payment_declined', decline_code: 'generic_decline' });
  for (const code of ['lost_card', 'stolen_card']) assert.equal(reason({ reason: 'payment_declined', decline_code: code }), any);
});

test('every other reason has a text', () => {
  assert.match(reason({ reason: 'out_of_stock' }), /sold out/);
  assert.match(reason({ reason: 'undeliverable', detail: 'no route' }), /no route/);
  assert.match(reason({ reason: 'unavailable' }), /not available/);
  assert.equal(reason({ reason: 'requested_by_customer' }), 'The order was cancelled.');
});
