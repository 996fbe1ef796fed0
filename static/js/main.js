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
import { announce, problemNotice } from './notices.js';
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
  ['/operator/orders', () => import('./pages/operator/orders.js')],
  ['/operator/products', () => import('./pages/operator/products.js')],
  ['/operator/products/new', () => import('./pages/operator/product.js')],
  ['/operator/products/:id', () => import('./pages/operator/product.js')],
  ['/operator/stock', () => import('./pages/operator/stock.js')],
  ['/operator/events', () => import('./pages/operator/events.js')],
];

function failureView(problem) {
  if (problem.status === 401) return gateView('Sign in');
  if (problem.status === 404) {
    return plainView('There is nothing here', html`<p class="lead">It may have moved, or never have been.</p><p><a class="button" href="/products">Look around the shop</a></p>`);
  }
  const again = () => (problem.mendedByReload ? location.reload() : reload());
  if (!problem.status && problem.code !== 'unreachable') console.error(problem);
  return plainView('That did not work', problemNotice(problem, html`<button type="button" id="try-again" onclick=${again}>Try again</button>`));
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

function markCurrentPage({ detail: { whileTyping } }) {
  for (const link of document.querySelectorAll('.site-nav a')) {
    if (link.pathname === location.pathname) link.setAttribute('aria-current', 'page');
    else if (location.pathname.startsWith(`${link.pathname}/`)) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
  if (!whileTyping) document.getElementById('site-search').value = new URLSearchParams(location.search).get('q') ?? '';
}

function connectionChanged() {
  const offline = document.getElementById('offline');
  if (offline.hidden === navigator.onLine) return;
  offline.hidden = navigator.onLine;
  announce(navigator.onLine ? 'You are online again.' : offline.textContent);
  if (navigator.onLine) document.getElementById('try-again')?.click();
}

shop.addEventListener('change', drawHeader);
addEventListener('online', connectionChanged);
addEventListener('offline', connectionChanged);
addEventListener('session-ended', () => shop.change(null));
// Signed in or out in another window.
addEventListener('storage', event => event.key?.startsWith('galleria.session') && shop.storefront().catch(() => {}));
addEventListener('page-shown', markCurrentPage);

document.getElementById('cart-link').addEventListener('click', event => {
  if (/^\/(cart|checkout)$/.test(location.pathname) || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  // Without the drawer there is still its page.
  import('./parts/cart-drawer.js').then(({ openCart }) => openCart(), () => navigate('/cart'));
});

document.getElementById('track-form').addEventListener('submit', event => {
  event.preventDefault();
  const number = new FormData(event.currentTarget).get('number').replace(/\s/g, '').toUpperCase();
  if (number) navigate(`/tracking/${encodeURIComponent(number)}`);
});

connectionChanged();
// Pages ask the shop who is signed in; one that cannot tell is open for guests.
await shop.storefront().catch(() => drawHeader());
shop.countUnread().catch(() => {});
await start(PAGES, failureView);
