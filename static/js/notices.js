// Messages about what happened: shown in the page, or read aloud by a screen reader.

import { span } from './format.js';
import { html } from './html.js';
import { PARTS } from './labels.js';

const announcements = document.getElementById('announcements');

/** Makes a screen reader read the text aloud, wherever the focus is. */
export function announce(text) {
  announcements.textContent = '';
  // The same text is read again only if the element was empty in between.
  setTimeout(() => {
    announcements.textContent = text;
  }, 50);
}

/** @param kind `bad`, `good` or nothing */
export const notice = (contents, kind = '') => html`<div class=${`notice ${kind}`}>${contents}</div>`;

/**
 * What went wrong, when to try again, and in small print the trace id, by which the operator finds
 * the request in the log.
 */
export function problemText(problem) {
  const text = problem.detail ?? 'An error occurred on this page.';
  const later = problem.retryAfter && html`<p>Try again in ${span(problem.retryAfter)}.</p>`;
  return html`<p>${text}</p>${later}${problem.traceId && html`<p class="trace">Trace ${problem.traceId}</p>`}`;
}

export const problemNotice = (problem, ...more) =>
  html`<div class="notice bad" role="alert">${problemText(problem)}${more}</div>`;

/** @param degraded the names of the parts that the API could not load */
export function degradedNotice(degraded = []) {
  if (!degraded.length) return null;
  const names = degraded.map(part => PARTS[part] ?? part).join(', ');
  return html`<div class="notice" role="status"><p>Some information cannot be loaded at the moment: ${names}.</p></div>`;
}

export const empty = (text, ...more) => html`<div class="empty"><p>${text}</p>${more}</div>`;
