// Grey shapes that are shown while a page is loading, so that the layout does not jump afterwards.

import { html } from '../html.js';

const bar = kind => html`<span class=${`outline-bar ${kind}`}></span>`;
const times = (count, each) => Array.from({ length: count }, each);

/** @param title the page's heading, if it is known before the page is loaded */
const outlined = (title, contents) => html`
  <div class="outline">
    ${title ? html`<h1>${title}</h1>` : bar('heading')}
    <p class="visually-hidden" role="status">Loading…</p>
    <div aria-hidden="true">${contents}</div>
  </div>`;

export const cardsOutline = (title = '', count = 8) => outlined(title, html`
  <ul class="product-cards">${times(count, () => html`<li class="product-card">${bar('square')}${bar('line')}${bar('word')}</li>`)}</ul>`);

export const rowsOutline = (title = '', count = 5) => outlined(title, html`
  <ul>${times(count, () => html`<li class="outline-row">${bar('thumbnail')}<div>${bar('line')}${bar('word')}</div></li>`)}</ul>`);

export const productOutline = () => outlined('', html`
  <div class="product"><div>${bar('square')}</div><div>${bar('word')}${bar('line')}${bar('line')}${bar('line')}</div></div>`);
