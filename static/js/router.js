// Pages by path, on the History API: one view at a time, with the focus on its heading.

import { unreachable } from './api.js';
import { html, render } from './html.js';

/**
 * A page is a function `(visit) => view`:
 * - `visit.params`, `visit.query` and `visit.path` say what was asked for; `visit.state` is what the link brought along;
 * - `visit.signal` is aborted when the page is left: whatever the page started ends with it;
 * - the view is `{ title, body }`.
 *
 * Its module may export `outline(visit)`, too: what stands in its place while it is loaded, if that takes long enough to be seen.
 */
let pages = [];
let showFailure;
let leave = new AbortController();
let shownPath = null;
let shownAddress = null;

/** What takes less long needs no outline: it would only flicker. */
const SEEN_MS = 200;

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

/** @param whileTyping the field that is typed in keeps the focus, and its words */
export function navigate(to, { state = {}, replace = false, whileTyping = false } = {}) {
  const url = new URL(to, location.href);
  rememberScroll();
  history[replace ? 'replaceState' : 'pushState'](state, '', url);
  return show({ whileTyping });
}

/** The same page again: after signing in, or to try what has failed. */
export const reload = () => show();

function rememberScroll() {
  history.replaceState({ ...history.state, scroll: scrollY }, '');
}

async function show({ scrollTo = 0, keepFocus = false, whileTyping = false } = {}) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const path = decodeURI(location.pathname);
  const [pattern, page] = load(path) ?? [/^/, () => import('./pages/missing.js')];
  const query = Object.fromEntries(new URLSearchParams(location.search));
  const visit = { path, query, signal, params: path.match(pattern).groups ?? {}, state: history.state ?? {} };
  const isSamePage = shownPath === path;
  let outline = null;
  const waiting = setTimeout(() => {
    setBusy(true);
    // What is seen already is a better sight than an outline of it.
    if (!outline || isSamePage || signal.aborted) return;
    render(main, outline(visit));
    window.scrollTo({ top: 0, behavior: 'instant' });
    shownPath = null;
  }, SEEN_MS);
  let view;
  try {
    const module = await page().catch(notLoaded);
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
  // A page that is in sight already has drawn itself anew.
  if (view.body.parentNode !== main) render(main, view.body);
  dispatchEvent(new CustomEvent('page-shown', { detail: { whileTyping } }));
  // Filters of a list keep the focus and the place; everything else begins at its heading.
  if (isSamePage && document.activeElement !== document.body && main.contains(document.activeElement)) return;
  if (!keepFocus && !whileTyping) focusHeading();
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
