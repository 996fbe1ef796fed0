// <live-line>: tells whether the page is updated live.

import { html, render } from '../html.js';

class LiveLine extends HTMLElement {
  #isLive = null;

  set(isLive) {
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    this.dataset.live = isLive;
    render(this, html`${isLive ? 'Live: this page updates automatically.' : 'Not live: the shop does not answer. Trying again…'}`);
  }

  connectedCallback() {
    this.role = 'status';
    if (this.#isLive === null) this.set(true);
  }
}

customElements.define('live-line', LiveLine);
export const liveLine = () => document.createElement('live-line');
