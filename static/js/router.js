// Shows the page of the address (History API): one page at a time, with the focus on its heading.

import { unreachable } from './api.js';
import { html, render } from './html.js';
import { decoded, queryOf, routeAt, routesOf } from './routes.js';

/**
 * A page is a module whose default export is a function `(visit) => view`:
 * - `visit.params`, `visit.query` and `visit.path` are read from the address; `visit.state` comes
 *   from the link;
 * - `visit.signal` is aborted when the reader leaves the page: the page's requests and timers end
 *   with it;
 * - the view is `{ title, body }`.
 *
 * The module may also export `outline(visit)`: grey shapes that are shown while the page is
 * loading.
 */
let routes = [];
let showFailure;
let loadMissing;
let leave = new AbortController();
let shownPath = null;
let shownAddress = null;

/** A page that is loaded sooner gets no outline: it would only flicker. */
const OUTLINE_AFTER_MS = 200;

const main = document.getElementById('main');
const progress = document.getElementById('progress');

/**
 * Shows the page of the current address, and follows links and the back button from then on.
 * @param table [['/orders/:id', () => module], …]; the first row that fits is taken
 * @param onFailure `(error) => view`, for a page that throws
 * @param missing `() => module`, for an address that fits no row
 */
export function start(table, onFailure, missing) {
  routes = routesOf(table);
  showFailure = onFailure;
  loadMissing = missing;
  history.scrollRestoration = 'manual';
  addEventListener('popstate', event => {
    // The browser itself scrolls to a fragment of the page that is shown.
    if (address() !== shownAddress) show({ scrollTo: event.state?.scroll ?? 0 });
  });
  document.addEventListener('click', followLink);
  document.addEventListener('submit', followForm);
  return show({ keepFocus: true });
}

const address = () => location.pathname + location.search;
const isPage = path => routeAt(routes, path) !== null;

/** @param whileTyping the field that has the focus keeps it, and its text */
export function navigate(to, { state = {}, replace = false, whileTyping = false } = {}) {
  const url = new URL(to, location.href);
  rememberScroll();
  history[replace ? 'replaceState' : 'pushState'](state, '', url);
  return show({ whileTyping });
}

/** Loads the same page again: after signing in, or after a failure. */
export const reload = () => show();

function rememberScroll() {
  history.replaceState({ ...history.state, scroll: scrollY }, '');
}

async function show({ scrollTo = 0, keepFocus = false, whileTyping = false } = {}) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const path = decoded(location.pathname);
  const { load, params } = routeAt(routes, path) ?? { load: loadMissing, params: {} };
  const visit = { path, query: queryOf(location.search), signal, params, state: history.state ?? {} };
  const isSamePage = shownPath === path;
  let outline = null;
  const waiting = setTimeout(() => {
    setBusy(true);
    // A page that is shown already stays until the new content is there.
    if (!outline || isSamePage || signal.aborted) return;
    render(main, outline(visit));
    window.scrollTo({ top: 0, behavior: 'instant' });
    shownPath = null;
  }, OUTLINE_AFTER_MS);
  let view;
  try {
    const module = await load().catch(notLoaded);
    ({ outline = null } = module);
    view = await module.default(visit);
  } catch (error) {
    if (signal.aborted) return;
    view = showFailure(error);
  } finally {
    clearTimeout(waiting);
    if (!signal.aborted) setBusy(false);
  }
  if (signal.aborted) return;
  shownPath = path;
  shownAddress = address();
  document.title = view.title === 'Galleria' ? view.title : `${view.title} – Galleria`;
  // An element that is shown already has updated itself.
  if (view.body.parentNode !== main) render(main, view.body);
  dispatchEvent(new CustomEvent('page-shown', { detail: { whileTyping } }));
  // A list whose filters change keeps the focus and the scroll position; every other page starts at
  // its heading.
  if (isSamePage && document.activeElement !== document.body && main.contains(document.activeElement)) return;
  if (!keepFocus && !whileTyping) focusHeading();
  window.scrollTo({ top: scrollTo, behavior: 'instant' });
}

function notLoaded(error) {
  console.error(error);
  // A browser does not load a module again after a failure; only loading the whole document again
  // helps.
  throw Object.assign(unreachable(), { needsReload: true });
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
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin || !isPage(link.pathname)) return;
  if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  navigate(link.href);
}

/** A form with `method=get` works like a link whose query is the form's values. */
function followForm(event) {
  const form = event.target;
  const url = new URL(form.action, location.href);
  if (event.defaultPrevented || form.method !== 'get' || url.origin !== location.origin || !isPage(url.pathname)) return;
  event.preventDefault();
  const values = [...new FormData(form)].filter(([, value]) => value.trim());
  url.search = new URLSearchParams(values);
  navigate(url);
}

/** A page of a heading and little more. */
export const plainView = (title, ...contents) => ({ title, body: html`<h1>${title}</h1>${contents}` });
