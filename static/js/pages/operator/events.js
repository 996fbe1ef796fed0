// Events that a service would not take, however often it was told: put aside, until somebody has them delivered once more.

import { html, render } from '../../html.js';
import { get, post, withQuery } from '../../api.js';
import { instant, plural } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { announce, empty, notice, problemNotice } from '../../notices.js';
import { deskOutline, deskPage } from '../../parts/operator/desk.js';
import { reload } from '../../router.js';

const PAGE = 50;

export const outline = deskOutline('Events');

export default deskPage(async ({ path, query, signal }) => {
  const { cursor } = query;
  const { items, next_cursor: next } = await get(withQuery('/events/dead', { cursor, limit: PAGE }), { signal });
  const letters = items.map(letterOf);
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const all = event => deliverAll(event, letters, outcome, signal);
  const body = html`
    <div class="heading-row">
      <h1>Events</h1>
      <div class="actions">
        <button type="button" id="look-again" onclick=${() => reload()}>Look again</button>
        ${letters.length > 1 && html`<button type="button" class="primary" id="deliver-all" onclick=${all}>Deliver all of these</button>`}
      </div>
    </div>
    ${letters.length > 0 && html`<p class="lead">These a service would not take, however often it was told. When it is mended, have them delivered once more.</p>`}
    ${outcome}
    ${letters.length ? html`<ul class="work letters">${letters.map(({ row }) => row)}</ul>` : nothing(path, cursor)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${path}>First page</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { cursor: next })}>Next page</a>`}
    </nav>`;
  return { title: 'Events', body };
});

const nothing = (path, cursor) => (cursor
  ? empty('There are no more.', html`<p><a class="button" href=${path}>First page</a></p>`)
  : empty('Every event was delivered.', html`<p><a class="button" href="/operator">Back to the desk</a></p>`));

function letterOf(event) {
  const letter = { event, row: html`<li></li>`.firstElementChild, isDelivered: false };
  draw(letter);
  return letter;
}

function draw(letter, said = null) {
  const { event: { id, event, publisher, subscriber, record, seq, payload, happened_at: happened, tried_at: tried, error }, row } = letter;
  render(row, html`
    <div class="work-row">
      <div>
        <h2>${event} <span class="soft">to ${subscriber}</span></h2>
        <p class="soft">It happened <time datetime=${happened}>${instant(happened)}</time>, and was last tried <time datetime=${tried}>${instant(tried)}</time>.</p>
        <p class="refusal">${subscriber} said: ${error}</p>
      </div>
      <button type="button" id=${`deliver-${id}`} aria-label=${`Deliver it: ${event} to ${subscriber}`} onclick=${() => deliverOne(letter)}>Deliver it</button>
    </div>
    <details>
      <summary id=${`payload-${id}`}>What it tells</summary>
      <p class="soft">Event ${seq} of ${record}, told by ${publisher}</p>
      <pre tabindex="0" role="region" aria-label=${`What ${event} tells`}>${JSON.stringify(payload, null, 2)}</pre>
    </details>
    ${said}`);
}

/** @returns {Promise<?Problem>} what the subscriber, or the shop, said against it */
async function deliver(letter) {
  try {
    await post(`/events/dead/${encodeURIComponent(letter.event.id)}/replay`);
    drawDelivered(letter, 'Delivered');
    return null;
  } catch (problem) {
    if (problem.status === 404) {
      drawDelivered(letter, 'Delivered by somebody else meanwhile');
      return null;
    }
    letter.event.error = problem.document?.reason ?? letter.event.error;
    return problem;
  }
}

function drawDelivered(letter, words) {
  const { event, subscriber } = letter.event;
  letter.isDelivered = true;
  render(letter.row, html`<p class="soft" tabindex="-1">${words}: ${event} to ${subscriber}.</p>`);
}

function deliverOne(letter) {
  return whileBusy(letter.row, async () => {
    const problem = await deliver(letter);
    if (problem) {
      draw(letter, problemNotice(problem));
      return;
    }
    letter.row.firstElementChild.focus();
    announce(letter.row.textContent);
  });
}

/** One after the other: a service that has just come back is not to be buried. */
function deliverAll({ currentTarget: button }, letters, outcome, signal) {
  return whileBusy(button.parentElement, async () => {
    const waiting = letters.filter(({ isDelivered }) => !isDelivered);
    let refused = 0;
    for (const letter of waiting) {
      const problem = await deliver(letter);
      if (signal.aborted) return;
      if (problem) {
        refused += 1;
        draw(letter, notice(html`<p>${problem.detail}</p>`, 'bad'));
      }
    }
    const words = `${plural(waiting.length - refused, 'event')} delivered${refused ? `, ${refused} not` : ''}.`;
    render(outcome, notice(html`<p>${words}</p>`, refused ? 'bad' : 'good'));
    announce(words);
  });
}
