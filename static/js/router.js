// Pages by path, on the History API: one view at a time, with the focus on its heading.

import { unreachable } from './api.js';
import { html, render } from './html.js';

/**
 * A page is a function `(visit) => view`:
 * - `visit.params`, `visit.query` and `visit.path` say what was asked for; `visit.state` is what the link brought along;
 * - `visit.signal` is aborted when the page is left: whatever the page started ends with it;
 * - the view is `{ title, body }`.
 */
let pages = [];
let showFailure;
let leave = new AbortController();
let shownPath = null;
let shownAddress = null;

const main = document.getElementById('main');
const progress = document.getElementById('progress');

/** @param table [['/orders/:id', () => import('./pages/order.js')], …], the first that matches is taken */
export function start(table, onFailure) {
  pages = table.map(([path, load]) => [new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`), load]);
  showFailure = onFailure;
  history.scrollRestoration = 'manual';
  addEventListener('popstate', event => {
    // A fragment of the page that is shown is the browser's to go to.
    if (address() !== shownAddress) show({ scrollTo: event.state?.scroll ?? 0 });
  });
  document.addEventListener('click', followLink);
  document.addEventListener('submit', followForm);
  return show({ keepFocus: true });
}

const address = () => location.pathname + location.search;
const load = path => pages.find(([pattern]) => pattern.test(path));

export function navigate(to, { state = {}, replace = false } = {}) {
  const url = new URL(to, location.href);
  rememberScroll();
  history[replace ? 'replaceState' : 'pushState'](state, '', url);
  return show();
}

/** The same page again: after signing in, or to try what has failed. */
export const reload = () => show();

function rememberScroll() {
  history.replaceState({ ...history.state, scroll: scrollY }, '');
}

async function show({ scrollTo = 0, keepFocus = false } = {}) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const path = decodeURI(location.pathname);
  const [pattern, page] = load(path) ?? [/^/, () => import('./pages/missing.js')];
  const query = Object.fromEntries(new URLSearchParams(location.search));
  const visit = { path, query, signal, params: path.match(pattern).groups ?? {}, state: history.state ?? {} };
  const waiting = setTimeout(() => setBusy(true), 150);
  let view;
  try {
    const { default: draw } = await page().catch(notLoaded);
    view = await draw(visit);
  } catch (error) {
    if (signal.aborted) return;
    view = showFailure(error);
  } finally {
    clearTimeout(waiting);
    if (!signal.aborted) setBusy(false);
  }
  if (signal.aborted) return;
  const isSamePage = shownPath === path;
  shownPath = path;
  shownAddress = address();
  document.title = view.title === 'Galleria' ? view.title : `${view.title} – Galleria`;
  render(main, view.body);
  dispatchEvent(new Event('page-shown'));
  // Filters of a list keep the focus and the place; everything else begins at its heading.
  if (isSamePage && document.activeElement !== document.body && main.contains(document.activeElement)) return;
  if (!keepFocus) focusHeading();
  window.scrollTo({ top: scrollTo, behavior: 'instant' });
}

function notLoaded(error) {
  console.error(error);
  // Browsers keep a module that could not be loaded as one that cannot: only loading everything again helps.
  throw Object.assign(unreachable(), { mendedByReload: true });
}

function setBusy(isBusy) {
  progress.hidden = !isBusy;
  main.setAttribute('aria-busy', String(isBusy));
}

function focusHeading() {
  const heading = main.querySelector('h1') ?? main;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

function followLink(event) {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin || !load(link.pathname)) return;
  if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  navigate(link.href);
}

/** A form that only asks (GET) is a link whose query is filled in. */
function followForm(event) {
  const form = event.target;
  const url = new URL(form.action, location.href);
  if (event.defaultPrevented || form.method !== 'get' || url.origin !== location.origin || !load(url.pathname)) return;
  event.preventDefault();
  const given = [...new FormData(form)].filter(([, value]) => value.trim());
  url.search = new URLSearchParams(given);
  navigate(url);
}

/** What a page shows of itself while it is empty of content: a heading and words. */
export const plainView = (title, ...contents) => ({ title, body: html`<h1>${title}</h1>${contents}` });
