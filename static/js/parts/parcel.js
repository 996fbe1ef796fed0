// A parcel: where it is, as text and as lists, and live updates until it has arrived.

import { html } from '../html.js';
import { get } from '../api.js';
import { country, day, instant } from '../format.js';
import { SHIPMENT_STATUS, SHIPPING_SERVICE } from '../labels.js';

const FINAL = ['delivered', 'returned', 'cancelled'];
const POLL_MS = 3000;

const MODES = { road: 'by road', rail: 'by rail', air: 'by air', sea: 'by sea' };

/** Whether the parcel's status never changes again. */
export const isOver = ({ status }) => FINAL.includes(status);

/**
 * How far the parcel is on its route.
 * @returns {{at: number, since: number | null}} `at` is the index of the last stop that it reached,
 *   -1 before the first; `since` is the time in ms when it left that stop, or null while it is at a
 *   stop
 */
export function progressOf({ status, route, events }) {
  const hub = events.findLast(event => event.hub)?.hub;
  const at = route.findLastIndex(stop => stop.hub.city === hub);
  const isBetween = status === 'in_transit' && at >= 0 && at < route.length - 1;
  return { at: status === 'delivered' ? route.length - 1 : at, since: isBetween ? Date.parse(events.at(-1).at) : null };
}

/** `Between Frankfurt and Munich, by rail.` */
export function whereabouts(parcel) {
  const { status, route } = parcel;
  const { at, since } = progressOf(parcel);
  const here = route[at]?.hub.city;
  if (since !== null) return `Between ${here} and ${route[at + 1].hub.city}, ${MODES[route[at + 1].by.mode]}.`;
  const isAtHub = here && ['picked_up', 'at_hub', 'out_for_delivery', 'exception'].includes(status);
  return `${SHIPMENT_STATUS[status] ?? status}${isAtHub ? `, in ${here}` : ''}.`;
}

export const promise = ({ status, service, delivery_by: by }) =>
  FINAL.includes(status)
    ? `${SHIPPING_SERVICE[service]} delivery.`
    : `${SHIPPING_SERVICE[service]} delivery, expected by ${day(by)}.`;

/** The stops of the route as a list, which says the same as the map. */
export function stopList(parcel) {
  const { at, since } = progressOf(parcel);
  return html`
    <ol class="timeline">${parcel.route.map(({ hub, planned_at: planned, by }, place) => html`
      <li class=${place <= at ? 'done' : 'ahead'} aria-current=${place === at && since === null && !isOver(parcel) && 'step'}>
        <strong>${hub.city}</strong>, ${country(hub.country)}${place <= at && html`<span class="visually-hidden"> (reached)</span>`}
        ${by && html`<p class="soft">${MODES[by.mode]}, ${by.carrier}</p>`}
        ${place > at && parcel.status !== 'cancelled' && html`<p class="soft">planned for <time datetime=${planned}>${instant(planned)}</time></p>`}
      </li>`)}
    </ol>`;
}

export const eventList = ({ events }) => html`
  <ol class="timeline">${events.toReversed().map(event => html`
    <li class="done"><strong>${eventText(event)}</strong> <time datetime=${event.at}>${instant(event.at)}</time></li>`)}
  </ol>`;

function eventText({ status, hub }) {
  if (hub && status === 'in_transit') return `Left ${hub}`;
  if (hub && status === 'at_hub') return `Arrived in ${hub}`;
  return `${SHIPMENT_STATUS[status] ?? status}${hub ? `, in ${hub}` : ''}`;
}

/**
 * Polls the parcel until its status is final, and only while the page is visible.
 * @param {{signal: AbortSignal, onUpdate: (parcel: object) => void, onLive?: (isLive: boolean) =>
 *   void}} options
 */
export async function followParcel(parcel, { signal, onUpdate, onLive = () => {} }) {
  let known = parcel;
  while (!isOver(known)) {
    await pause(signal);
    if (signal.aborted) return;
    const now = await get(`/tracking/${encodeURIComponent(parcel.tracking_number)}`, { signal }).catch(() => null);
    if (signal.aborted) return;
    onLive(now !== null);
    if (now && now.events.length > known.events.length) {
      known = now;
      onUpdate(now);
    }
  }
}

/** Waits for the polling interval, and then until the page is visible. */
function pause(signal) {
  return new Promise(resolve => {
    const ready = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', ready);
      resolve();
    };
    const timer = setTimeout(() => {
      document.addEventListener('visibilitychange', ready);
      ready();
    }, POLL_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      ready();
    }, { once: true });
  });
}
