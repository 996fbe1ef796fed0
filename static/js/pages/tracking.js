// Where a parcel is, by its tracking number. No account is necessary.

import { html, render } from '../html.js';
import { get } from '../api.js';
import { announce } from '../notices.js';
import { rowsOutline } from '../parts/outlines.js';
import { liveLine } from '../parts/live-line.js';
import { eventList, followParcel, isOver, promise, stopList, whereabouts } from '../parts/parcel.js';
import { routeMap } from '../parts/route-map.js';
import { plainView } from '../router.js';

const titleOf = number => `Parcel ${number}`;

export const outline = ({ params }) => rowsOutline(titleOf(params.number));

export default async function trackingPage({ params, signal }) {
  const parcel = await get(`/tracking/${encodeURIComponent(params.number)}`, { signal }).catch(problem => {
    if (problem.status === 404) return null;
    throw problem;
  });
  if (!parcel) return noSuchParcel(params.number);
  const content = html`<div></div>`.firstElementChild;
  const page = { content, map: routeMap(parcel), live: liveLine() };
  draw(page, parcel);
  followParcel(parcel, {
    signal,
    onLive: isLive => page.live.set(isLive),
    onUpdate: now => {
      page.map.show(now);
      draw(page, now);
      announce(`Parcel: ${whereabouts(now)}`);
    },
  });
  const title = titleOf(parcel.tracking_number);
  return { title, body: html`<h1>${title}</h1>${content}` };
}

const noSuchParcel = number => plainView('Parcel not found', html`
  <p class="lead">There is no parcel with the number ${number}. A number has two letters, nine digits and two letters.</p>
  <p><a href="#track-number">Try another number</a></p>`);

function draw({ content, map, live }, parcel) {
  render(content, html`
    <p class="lead">${whereabouts(parcel)} ${promise(parcel)}</p>
    ${!isOver(parcel) && live}
    <div class="with-aside tracking">
      ${map}
      <aside class="panel" aria-labelledby="route">
        <h2 id="route">Route</h2>
        ${stopList(parcel)}
      </aside>
      <section aria-labelledby="events">
        <h2 id="events">Events</h2>
        ${eventList(parcel)}
      </section>
    </div>`);
}
