// Where a parcel is, for anybody who has its number.

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
    onNews: now => {
      page.map.show(now);
      draw(page, now);
      announce(`The parcel: ${whereabouts(now)}`);
    },
  });
  const title = titleOf(parcel.tracking_number);
  return { title, body: html`<h1>${title}</h1>${content}` };
}

const noSuchParcel = number => plainView('No such parcel', html`
  <p class="lead">No parcel has the number ${number}. Look at it again: it has two letters, nine digits and two letters.</p>
  <p><a href="#track-number">Try another number</a></p>`);

function draw({ content, map, live }, parcel) {
  render(content, html`
    <p class="lead">${whereabouts(parcel)} ${promise(parcel)}</p>
    ${!isOver(parcel) && live}
    <div class="with-aside tracking">
      ${map}
      <aside class="panel" aria-labelledby="route">
        <h2 id="route">The way</h2>
        ${stopList(parcel)}
      </aside>
      <section aria-labelledby="events">
        <h2 id="events">What happened</h2>
        ${eventList(parcel)}
      </section>
    </div>`);
}
