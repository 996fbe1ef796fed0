// Where a parcel is, for anybody who has its number.

import { html, render } from '../html.js';
import { get } from '../api.js';
import { country, day, instant } from '../format.js';
import { announce } from '../notices.js';
import { plainView } from '../router.js';
import { SHIPMENT_STATUS, SHIPPING_SERVICE } from '../words.js';

const OVER = ['delivered', 'returned', 'cancelled'];
const LOOK_AGAIN_MS = 5000;

export default async function trackingPage({ params, signal }) {
  const path = `/tracking/${encodeURIComponent(params.number)}`;
  const tracking = await get(path, { signal }).catch(problem => {
    if (problem.status === 404) return null;
    throw problem;
  });
  if (!tracking) {
    return plainView('No such parcel', html`<p class="lead">No parcel has the number ${params.number}. Look at it again: it has two letters, nine digits and two letters.</p>`);
  }
  const content = html`<div></div>`.firstElementChild;
  draw(content, tracking);
  lookAgain(path, content, tracking, signal);
  return { title: `Parcel ${tracking.tracking_number}`, body: html`<h1>Parcel ${tracking.tracking_number}</h1>${content}` };
}

function draw(content, { status, service, delivery_by: by, route, events }) {
  render(content, html`
    <p class="lead">${SHIPMENT_STATUS[status] ?? status}.${status !== 'cancelled' && ` ${SHIPPING_SERVICE[service]} delivery, promised by ${day(by)}.`}</p>
    <div class="with-aside">
      <section aria-labelledby="events">
        <h2 id="events">What happened</h2>
        <ol class="timeline">${[...events].reverse().map(({ status: each, hub, at }) => html`
          <li class="done"><strong>${SHIPMENT_STATUS[each] ?? each}</strong>${hub && ` in ${hub}`} <time datetime=${at}>${instant(at)}</time></li>`)}
        </ol>
      </section>
      <aside class="panel" aria-labelledby="route">
        <h2 id="route">The way</h2>
        <ol class="timeline">${stops(route, events).map(({ hub, planned_at: at, wasReached }) => html`
          <li class=${wasReached ? 'done' : 'ahead'}><strong>${hub.city}</strong>, ${country(hub.country)}${wasReached && html`<span class="visually-hidden"> (reached)</span>`}
            <p class="soft">planned for <time datetime=${at}>${instant(at)}</time></p></li>`)}
        </ol>
      </aside>
    </div>`);
}

/** Stops up to the last one that was seen are behind it. */
function stops(route, events) {
  const seen = new Set(events.map(({ hub }) => hub).filter(Boolean));
  const last = route.findLastIndex(({ hub }) => seen.has(hub.city));
  return route.map((stop, at) => ({ ...stop, wasReached: at <= last }));
}

function lookAgain(path, content, tracking, signal) {
  if (OVER.includes(tracking.status)) return;
  const timer = setTimeout(async () => {
    const now = document.hidden ? null : await get(path, { signal }).catch(() => null);
    if (signal.aborted) return;
    if (now && now.events.length > tracking.events.length) {
      draw(content, now);
      announce(`The parcel: ${SHIPMENT_STATUS[now.status] ?? now.status}.`);
    }
    lookAgain(path, content, now ?? tracking, signal);
  }, LOOK_AGAIN_MS);
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
