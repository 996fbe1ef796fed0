// format.js: money, dates and numbers as text. The time zone is fixed, since dates are shown in the
// reader's own.

process.env.TZ = 'UTC';

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../static/js/format.js';

const euros = amount => ({ amount, currency: 'EUR' });

test('money has the digits of its currency', () => {
  assert.equal(format.money(euros(1999)), '€19.99');
  assert.equal(format.money(euros(0)), '€0.00');
  assert.equal(format.money(euros(5)), '€0.05');
  assert.equal(format.money(euros(123456789)), '€1,234,567.89');
  assert.equal(format.money({ amount: 1999, currency: 'JPY' }), 'JP¥1,999');
  assert.equal(format.money({ amount: 1999, currency: 'KWD' }).replace(/\s/, ' '), 'KWD 1.999');
});

test('a sum keeps the currency', () => {
  assert.deepEqual(format.sum(euros(10), euros(20)), euros(30));
});

test('dates and times', () => {
  const time = '2025-11-27T14:05:09Z';
  // Versions of Unicode's locale data differ in the comma.
  assert.match(format.day(time), /^Thu,? 27 Nov$/);
  assert.equal(format.date(time), '27 November 2025');
  assert.equal(format.moment(time), '27 Nov, 14:05');
  assert.equal(format.instant(time), '27 Nov, 14:05:09');
});

test('only one is singular', () => {
  assert.equal(format.plural(0, 'item'), '0 items');
  assert.equal(format.plural(1, 'item'), '1 item');
  assert.equal(format.plural(2, 'item'), '2 items');
  assert.equal(format.plural(2, 'box', 'boxes'), '2 boxes');
});

test('a time span is in seconds at first, then in minutes, rounded up', () => {
  assert.equal(format.span(1), '1 second');
  assert.equal(format.span(89), '89 seconds');
  assert.equal(format.span(90), '2 minutes');
  assert.equal(format.span(121), '3 minutes');
});

test('a weight is in grams below a kilogram', () => {
  assert.equal(format.weight(999), '999 g');
  assert.equal(format.weight(1000), '1 kg');
  assert.equal(format.weight(1254), '1.25 kg');
});

test('the short id is the end of an id', () => {
  assert.equal(format.shortId('ord_01jd3k4m5n6p7q8r'), '5N6P7Q8R');
});

test('a reason becomes a sentence', () => {
  assert.equal(format.sentence('must be at least 1'), 'Must be at least 1.');
  assert.equal(format.sentence('Is it?'), 'Is it?');
  assert.equal(format.sentence('Done.'), 'Done.');
});

test('a country has its name', () => {
  assert.equal(format.country('DE'), 'Germany');
});
