// <route-map>: a map of a parcel's route. The parcel moves along the route between two updates.

import { html, render } from '../html.js';
import { get } from '../api.js';
import { labelsOf } from './map-labels.js';
import { placeOf, split, wayOf } from './map-ways.js';
import { progressOf, whereabouts } from './parcel.js';

/** Width to height, as in the style sheet. */
const ASPECT = 3 / 2;
/** The least width of a map, 24 degrees, so that the region is recognisable. */
const LEAST_WIDTH = 480;
/** The margin around the route, as a share of its size. */
const MARGIN = .22;
/** The parcel moves in so many steps between two hubs. */
const STEPS = 400;
const SHORTEST_STEP_MS = 40;

let network;

/** All hubs, loaded once. If that fails, the map shows only the route's. */
function hubs() {
  network ??= get('/shipping/network').then(({ items }) => items);
  return network.catch(() => {
    network = null;
    return [];
  });
}

class RouteMap extends HTMLElement {
  #parcel;
  #legs;
  #timer;

  /** Shows the parcel's current state. */
  show(parcel) {
    this.#parcel = parcel;
    this.#draw();
    hubs().then(found => this.querySelector('.hubs').setAttribute('d', dots(found.map(placeOf))));
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  connectedCallback() {
    if (this.#parcel) this.#move();
  }

  #draw() {
    const { route } = this.#parcel;
    const stops = route.map(({ hub }) => placeOf(hub));
    this.#legs = route.slice(1).map(({ hub, by }, at) => wayOf(route[at].hub, hub, by?.mode));
    const frame = frameOf([...stops, ...this.#legs.flat()]);
    const { at } = progressOf(this.#parcel);
    // Each kind of dot is one path of points: the round line caps draw dots of the same size at
    // every scale.
    render(this, html`
      <svg viewBox=${`${frame.x} ${frame.y} ${frame.width} ${frame.height}`} role="img" aria-label=${this.#label()}>
        <use class="land" href="/pictures/land.svg#land"/>
        <path class="hubs" d=""/>
        <path class="ahead" d=""/>
        <path class="done" d=""/>
        <path class="stops" d=${dots(stops.slice(at + 1))}/>
        <path class="stops done" d=${dots(stops.slice(0, at + 1))}/>
        <path class="parcel-edge" d=""/>
        <path class="parcel" d=""/>
      </svg>
      ${labelsOf(route, stops, at, this.#legs.flatMap(along), frame)}`);
    this.#move();
  }

  /** Draws the parcel's position now, and again when it has moved visibly. */
  #move() {
    clearTimeout(this.#timer);
    const { at, since } = progressOf(this.#parcel);
    const arrival = since === null ? null : Date.parse(this.#parcel.route[at + 1].planned_at);
    const share = since === null ? 0 : Math.min(.97, Math.max(.03, (Date.now() - since) / (arrival - since)));
    const [behind, before] = since === null ? [null, null] : split(this.#legs[at], share);
    const done = [...this.#legs.slice(0, Math.max(at, 0)), behind];
    const ahead = [before, ...this.#legs.slice(Math.max(at, 0) + (since === null ? 0 : 1))];
    const here = behind?.at(-1) ?? placeOf(this.#parcel.route[Math.max(at, 0)].hub);
    const isOnTheWay = !['cancelled', 'returned'].includes(this.#parcel.status);
    this.toggleAttribute('moving', since !== null);
    this.#set('path.done:not(.stops)', lines(done));
    this.#set('.ahead', lines(ahead));
    this.#set('.parcel-edge', isOnTheWay ? dots([here]) : '');
    this.#set('.parcel', isOnTheWay ? dots([here]) : '');
    const isStill = since === null || share >= .97 || matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (!isStill && this.isConnected) this.#timer = setTimeout(() => this.#move(), Math.max((arrival - since) / STEPS, SHORTEST_STEP_MS));
  }

  #set(selector, d) {
    this.querySelector(selector).setAttribute('d', d);
  }

  #label() {
    const cities = this.#parcel.route.map(({ hub }) => hub.city);
    const over = cities.slice(1, -1).join(', ');
    const route = cities.length === 1 ? `A map of ${cities[0]}` : `A map of the route from ${cities[0]} to ${cities.at(-1)}${over && ` through ${over}`}`;
    return `${route}. ${whereabouts(this.#parcel)}`;
  }
}

const place = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
const dots = points => points.map(point => `M${place(point)}h0`).join('');
const lines = ways => ways.filter(Boolean).map(way => `M${way.map(place).join('L')}`).join('');

const SHARES = Array.from({ length: 19 }, (_, at) => (at + 1) / 20);
const along = way => SHARES.map(share => split(way, share)[0].at(-1));

/** The part of the world that is shown: all points with a margin. */
function frameOf(points) {
  const [xs, ys] = [0, 1].map(axis => points.map(point => point[axis]));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [across, down] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const width = Math.max(LEAST_WIDTH, across * (1 + 2 * MARGIN), down * (1 + 2 * MARGIN) * ASPECT);
  const height = width / ASPECT;
  return { x: left + (across - width) / 2, y: top + (down - height) / 2, width, height };
}

customElements.define('route-map', RouteMap);

export function routeMap(parcel) {
  const map = document.createElement('route-map');
  map.show(parcel);
  return map;
}
