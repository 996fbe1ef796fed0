// <dead-letter>: an event that its subscriber refused at every attempt. Redelivers it.

import { html, render } from '../../html.js';
import { post } from '../../api.js';
import { instant } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { announce, problemNotice } from '../../notices.js';

class DeadLetter extends HTMLElement {
  #letter;
  #isDelivered = false;

  static of(letter) {
    const element = document.createElement('dead-letter');
    element.#letter = letter;
    element.show();
    return element;
  }

  get isDelivered() {
    return this.#isDelivered;
  }

  /** @param message markup below the event */
  show(message = null) {
    const { id, event, publisher, subscriber, record, seq, payload, happened_at: happened, tried_at: tried, error } = this.#letter;
    render(this, html`
      <div class="work-row">
        <div>
          <h2>${event} <span class="soft">to ${subscriber}</span></h2>
          <p class="soft">Published <time datetime=${happened}>${instant(happened)}</time>, last attempt <time datetime=${tried}>${instant(tried)}</time>.</p>
          <p class="refusal">Error from ${subscriber}: ${error}</p>
        </div>
        <button type="button" id=${`deliver-${id}`} aria-label=${`Redeliver: ${event} to ${subscriber}`} onclick=${() => this.#pressed()}>Redeliver</button>
      </div>
      <details>
        <summary id=${`payload-${id}`}>Payload</summary>
        <p class="soft">Event ${seq} of ${record}, published by ${publisher}</p>
        <pre tabindex="0" role="region" aria-label=${`Payload of ${event}`}>${JSON.stringify(payload, null, 2)}</pre>
      </details>
      ${message}`);
  }

  /** @returns {Promise<?Problem>} why the event was not delivered; null if it was */
  async deliver() {
    try {
      await post(`/events/dead/${encodeURIComponent(this.#letter.id)}/replay`);
      this.#showDelivered('Delivered');
      return null;
    } catch (problem) {
      if (problem.status === 404) {
        this.#showDelivered('Already delivered');
        return null;
      }
      this.#letter.error = problem.document?.reason ?? this.#letter.error;
      return problem;
    }
  }

  #showDelivered(text) {
    const { event, subscriber } = this.#letter;
    this.#isDelivered = true;
    render(this, html`<p class="soft" tabindex="-1">${text}: ${event} to ${subscriber}.</p>`);
  }

  #pressed() {
    return whileBusy(this, async () => {
      const problem = await this.deliver();
      if (problem) {
        this.show(problemNotice(problem));
        return;
      }
      this.firstElementChild.focus();
      announce(this.textContent);
    });
  }
}

customElements.define('dead-letter', DeadLetter);
export const deadLetter = DeadLetter.of;
