// Words about what happened: said aloud, or shown where it happened.

import { span } from './format.js';
import { html } from './html.js';
import { PARTS } from './labels.js';

const announcements = document.getElementById('announcements');

/** Said by screen readers, wherever the focus is. */
export function announce(words) {
  announcements.textContent = '';
  // An element that stays the same is not read out again.
  setTimeout(() => {
    announcements.textContent = words;
  }, 50);
}

/** @param kind `bad`, `good` or nothing */
export const notice = (contents, kind = '') => html`<div class=${`notice ${kind}`}>${contents}</div>`;

/** What the shop said against it, for people; the trace small, for whoever looks into it. */
export function problemWords(problem) {
  const words = problem.detail ?? 'Something in this page went wrong.';
  const later = problem.retryAfter && html`<p>Try again in ${span(problem.retryAfter)}.</p>`;
  return html`<p>${words}</p>${later}${problem.traceId && html`<p class="trace">Trace ${problem.traceId}</p>`}`;
}

export const problemNotice = (problem, ...more) =>
  html`<div class="notice bad" role="alert">${problemWords(problem)}${more}</div>`;

/** Parts of the page that could not be had, if any. */
export function degradedNotice(degraded = []) {
  if (!degraded.length) return null;
  const names = degraded.map(part => PARTS[part] ?? part).join(', ');
  return html`<div class="notice" role="status"><p>A part of the shop is away at the moment, and so is a part of this page: ${names}.</p></div>`;
}

export const empty = (words, ...more) => html`<div class="empty"><p>${words}</p>${more}</div>`;
