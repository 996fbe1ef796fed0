// parts/parcel.js and parts/map-ways.js: where a parcel is, as text and as a point on the map.

import './fake-page.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { project, split, wayOf } from '../../static/js/parts/map-ways.js';
import { isOver, progressOf, promise, whereabouts } from '../../static/js/parts/parcel.js';

const route = [{ hub: { city: 'Berlin' } }, { hub: { city: 'Leipzig' }, by: { mode: 'road' } }, { hub: { city: 'Munich' }, by: { mode: 'rail' } }];
const left = (hub, at) => ({ status: 'in_transit', hub, at });
const arrived = (hub, at) => ({ status: 'at_hub', hub, at });
const AT = '2025-11-27T14:00:00Z';

test('a parcel that was not picked up is nowhere on its route', () => {
  const parcel = { status: 'label_created', route, events: [{ status: 'label_created' }] };
  assert.deepEqual(progressOf(parcel), { at: -1, since: null });
  assert.equal(whereabouts(parcel), 'Label created.');
});

test('between two hubs it is on its way since the last event', () => {
  const parcel = { status: 'in_transit', route, events: [arrived('Leipzig', AT), left('Leipzig', AT)] };
  assert.deepEqual(progressOf(parcel), { at: 1, since: Date.parse(AT) });
  assert.equal(whereabouts(parcel), 'Between Leipzig and Munich, by rail.');
});

test('at a hub it is named with the hub', () => {
  const parcel = { status: 'at_hub', route, events: [left('Berlin', AT), arrived('Leipzig', AT)] };
  assert.deepEqual(progressOf(parcel), { at: 1, since: null });
  assert.equal(whereabouts(parcel), 'At a hub, in Leipzig.');
});

test('a delivered parcel is at the end of its route', () => {
  const parcel = { status: 'delivered', service: 'express', route, events: [{ status: 'delivered' }] };
  assert.equal(progressOf(parcel).at, 2);
  assert.equal(whereabouts(parcel), 'Delivered.');
  assert.equal(promise(parcel), 'Express delivery.');
  assert.ok(isOver(parcel) && !isOver({ status: 'exception' }));
});

test('a straight line is split by its length', () => {
  const [before, after] = split([[0, 0], [10, 0], [10, 30]], 0.5);
  assert.deepEqual(before, [[0, 0], [10, 0], [10, 10]]);
  assert.deepEqual(after, [[10, 10], [10, 30]]);
});

test('a line is whole at its end, and has one point left at its start', () => {
  const line = [[0, 0], [4, 0]];
  assert.deepEqual(split(line, 0)[0].at(-1), [0, 0]);
  assert.deepEqual(split(line, 1)[0].at(-1), [4, 0]);
  assert.deepEqual(split([[1, 1], [1, 1]], 0.5)[0].at(-1), [1, 1]);
});

test('the projection is Mercator, 20 units a degree, north up', () => {
  assert.deepEqual(project([1, 0]).map(Math.round), [20, 0]);
  assert.ok(project([0, 10])[1] < 0);
});

test('by road a leg is straight; by air it is a curve north of it; by sea it goes around the land in both directions', () => {
  const [berlin, munich] = [{ longitude: 13, latitude: 52, code: 'BER' }, { longitude: 11, latitude: 48, code: 'MUC' }];
  assert.equal(wayOf(berlin, munich, 'road').length, 2);
  const [west, east] = [{ longitude: 0, latitude: 50, code: 'A' }, { longitude: 20, latitude: 50, code: 'B' }];
  for (const flight of [wayOf(west, east, 'air'), wayOf(east, west, 'air')]) assert.ok(flight[12][1] < flight[0][1]);
  const [rotterdam, dublin] = [{ longitude: 4, latitude: 52, code: 'RTM' }, { longitude: -6, latitude: 53, code: 'DUB' }];
  assert.deepEqual(wayOf(rotterdam, dublin, 'sea'), wayOf(dublin, rotterdam, 'sea').toReversed());
  assert.ok(wayOf(rotterdam, dublin, 'sea').length > 2);
});
