// <loaded-part>: a part of a page that loads its own data. After a failure it offers to try again;
// the rest of the page works.

import { html, render } from '../../html.js';
import { problemNotice } from '../../notices.js';

class LoadedPart extends HTMLElement {
  #load;
  #draw;
  #signal;
  #label;

  /**
   * @param load `() => Promise<data>`
   * @param draw `(data) => markup`
   * @param options `{ signal, label }`: aborted when the page is left; what is loaded, as it is
   *   called after “the”
   */
  static of(load, draw, { signal, label }) {
    const part = document.createElement('loaded-part');
    part.#load = load;
    part.#draw = draw;
    part.#signal = signal;
    part.#label = label;
    part.className = 'part';
    part.tabIndex = -1;
    render(part, html`<span class="outline-bar line"></span><span class="outline-bar word"></span><span class="visually-hidden">Loading…</span>`);
    part.#fill();
    return part;
  }

  async #fill() {
    this.setAttribute('aria-busy', 'true');
    let contents;
    try {
      contents = this.#draw(await this.#load());
    } catch (problem) {
      if (problem.status === undefined && !this.#signal.aborted) console.error(problem);
      contents = problemNotice(
        described(problem, this.#label),
        html`<button type="button" aria-label=${`Try again: ${this.#label}`} onclick=${() => this.#fill()}>Try again</button>`,
      );
    }
    if (this.#signal.aborted) return;
    this.removeAttribute('aria-busy');
    const hadFocus = this.contains(document.activeElement);
    render(this, contents);
    if (hadFocus) this.focus();
  }
}

/** A failure of a service is described by what is missing on the page. */
const described = (problem, label) => (problem.status >= 500
  ? { detail: `The ${label} cannot be loaded at the moment. Try again later.`, traceId: problem.traceId }
  : problem);

customElements.define('loaded-part', LoadedPart);
export const loadedPart = LoadedPart.of;
