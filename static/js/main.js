// The shop in the browser: which path is which page, and what stands around them.
//
// Where to find what:
//   router.js              one page at a time, by the address
//   html.js                markup whose values are escaped by construction
//   api.js, session.js     the shop's HTTP interface, and a session that is renewed in time
//   shop.js                what every page knows: user, cart, unread messages
//   forms.js, notices.js   fields with their errors; words shown and said
//   parts/                 what several pages are made of
//   pages/                 one file a page, each `(visit) => { title, body }`

import { shop } from './shop.js';
import { problemNotice } from './notices.js';
import { navigate, plainView, reload, start } from './router.js';
import { html } from './html.js';
import { plural } from './format.js';
import { gateView } from './parts/gate.js';

const PAGES = [
  ['/', () => import('./pages/home.js')],
  ['/products', () => import('./pages/listing.js')],
  ['/categories/:category', () => import('./pages/listing.js')],
  ['/products/:product', () => import('./pages/product.js')],
  ['/cart', () => import('./pages/cart.js')],
  ['/checkout', () => import('./pages/checkout.js')],
  ['/orders', () => import('./pages/orders.js')],
  ['/orders/:id', () => import('./pages/order.js')],
  ['/tracking/:number', () => import('./pages/tracking.js')],
  ['/account', () => import('./pages/account.js')],
  ['/inbox', () => import('./pages/inbox.js')],
  ['/sign-in', () => import('./pages/sign-in.js')],
  ['/setup', () => import('./pages/setup.js')],
  ['/operator', () => import('./pages/operator.js')],
];

function failureView(problem) {
  if (problem.status === 401) return gateView('Sign in');
  if (problem.status === 404) {
    return plainView('There is nothing here', html`<p class="lead">It may have moved, or never have been.</p><p><a class="button" href="/products">Look around the shop</a></p>`);
  }
  const again = () => (problem.mendedByReload ? location.reload() : reload());
  if (!problem.status && problem.code !== 'unreachable') console.error(problem);
  return plainView('That did not work', problemNotice(problem, html`<button type="button" onclick=${again}>Try again</button>`));
}

function drawHeader() {
  for (const element of document.querySelectorAll('[data-for]')) {
    element.hidden = !{ user: shop.isSignedIn, guest: !shop.isSignedIn, operator: shop.isOperator }[element.dataset.for];
  }
  drawCount('cart-count', shop.cart?.item_count ?? 0, count => plural(count, 'item'));
  drawCount('inbox-count', shop.unread, count => `${count} unread`);
}

function drawCount(id, count, words) {
  const badge = document.getElementById(id);
  badge.hidden = count === 0;
  badge.replaceChildren(html`<span aria-hidden="true">${count}</span><span class="visually-hidden">, ${words(count)}</span>`);
}

function markCurrentPage() {
  for (const link of document.querySelectorAll('.site-nav a')) {
    const isCurrent = link.pathname === location.pathname;
    if (isCurrent) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.getElementById('site-search').value = new URLSearchParams(location.search).get('q') ?? '';
}

shop.addEventListener('change', drawHeader);
addEventListener('session-ended', () => shop.change(null));
// Signed in or out in another window.
addEventListener('storage', event => event.key?.startsWith('galleria.session') && shop.storefront().catch(() => {}));
addEventListener('page-shown', markCurrentPage);

document.getElementById('track-form').addEventListener('submit', event => {
  event.preventDefault();
  const number = new FormData(event.currentTarget).get('number').replace(/\s/g, '').toUpperCase();
  if (number) navigate(`/tracking/${encodeURIComponent(number)}`);
});

// Pages ask the shop who is signed in; one that cannot tell is open for guests.
await shop.storefront().catch(() => drawHeader());
shop.countUnread().catch(() => {});
await start(PAGES, failureView);
