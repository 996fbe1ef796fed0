// <route-map>: the way of a parcel over the land, and where on it the parcel is; it moves along by itself.

import { html, render } from '../html.js';
import { get } from '../api.js';
import { labelsOf } from './map-labels.js';
import { placeOf, split, wayOf } from './map-ways.js';
import { progressOf, whereabouts } from './parcel.js';

/** As in the stylesheet. */
const ASPECT = 3 / 2;
/** No map shows less than this, so that one sees where in the world it is: twenty-four degrees. */
const LEAST_WIDTH = 480;
/** Left free around the route, in parts of it. */
const MARGIN = .22;
/** So many steps are drawn between two hubs. */
const STEPS = 400;
const SHORTEST_STEP_MS = 40;

let network;

/** All hubs, read once; without them there is a map as well. */
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

  /** Shows the parcel as it is now. */
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
    // Each kind of dot is one path: of points, which a round pen draws as dots of the same size on every map.
    render(this, html`
      <svg viewBox=${`${frame.x} ${frame.y} ${frame.width} ${frame.height}`} role="img" aria-label=${this.#words()}>
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

  /** Draws how far it is, and again when that is to be seen. */
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

  #words() {
    const cities = this.#parcel.route.map(({ hub }) => hub.city);
    const over = cities.slice(1, -1).join(', ');
    const way = cities.length === 1 ? `A map of ${cities[0]}` : `A map of the way from ${cities[0]} to ${cities.at(-1)}${over && ` by ${over}`}`;
    return `${way}. ${whereabouts(this.#parcel)}`;
  }
}

const place = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
const dots = points => points.map(point => `M${place(point)}h0`).join('');
const lines = ways => ways.filter(Boolean).map(way => `M${way.map(place).join('L')}`).join('');

const SHARES = Array.from({ length: 19 }, (_, at) => (at + 1) / 20);
const along = way => SHARES.map(share => split(way, share)[0].at(-1));

/** What of the world is shown: all of the points, with room around them. */
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
