// The dead letters: events that a service refused at every attempt, until an operator redelivers
// them.

import { html, render } from '../../html.js';
import { get, withQuery } from '../../api.js';
import { plural } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { announce, empty, notice } from '../../notices.js';
import { deadLetter } from '../../parts/operator/dead-letter.js';
import { operatorOutline, operatorPage } from '../../parts/operator/operator-page.js';
import { reload } from '../../router.js';

const PAGE_SIZE = 50;

export const outline = operatorOutline('Events');

export default operatorPage(async ({ path, query, signal }) => {
  const { cursor } = query;
  const { items, next_cursor: next } = await get(withQuery('/events/dead', { cursor, limit: PAGE_SIZE }), { signal });
  const letters = items.map(deadLetter);
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const all = event => deliverAll(event, letters, outcome, signal);
  const body = html`
    <div class="heading-row">
      <h1>Events</h1>
      <div class="actions">
        <button type="button" id="refresh" onclick=${() => reload()}>Refresh</button>
        ${letters.length > 1 && html`<button type="button" class="primary" id="deliver-all" onclick=${all}>Redeliver all</button>`}
      </div>
    </div>
    ${letters.length > 0 && html`<p class="lead">A service refused these events at every attempt. Redeliver them when the service works again.</p>`}
    ${outcome}
    ${letters.length ? html`<ul class="work letters">${letters.map(letter => html`<li>${letter}</li>`)}</ul>` : nothing(path, cursor)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${path}>First page</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { cursor: next })}>Next page</a>`}
    </nav>`;
  return { title: 'Events', body };
});

const nothing = (path, cursor) => (cursor
  ? empty('There are no more events.', html`<p><a class="button" href=${path}>First page</a></p>`)
  : empty('Every event was delivered.', html`<p><a class="button" href="/operator">Back to the dashboard</a></p>`));

/** One after the other, so that a service that has just restarted is not overloaded. */
function deliverAll({ currentTarget: button }, letters, outcome, signal) {
  return whileBusy(button.parentElement, async () => {
    const waiting = letters.filter(({ isDelivered }) => !isDelivered);
    let refused = 0;
    for (const letter of waiting) {
      const problem = await letter.deliver();
      if (signal.aborted) return;
      if (problem) {
        refused += 1;
        letter.show(notice(html`<p>${problem.detail}</p>`, 'bad'));
      }
    }
    const text = `${plural(waiting.length - refused, 'event')} delivered${refused ? `, ${refused} not delivered` : ''}.`;
    render(outcome, notice(html`<p>${text}</p>`, refused ? 'bad' : 'good'));
    announce(text);
  });
}
