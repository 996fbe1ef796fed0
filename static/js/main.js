// Starts the shop in the browser: which address shows which page, and the header around the pages.
//
// The component model:
//   A page (pages/) is a function: it loads data, returns `{ title, body }`, and remembers nothing.
//   What holds state over time is a custom element (parts/), with its state in #private fields.
//   A custom element sends events to its parent, and stops its timers in disconnectedCallback.
//   Everything else in parts/ is a function that returns markup.
//   Data that several pages show (user, cart, unread messages) is in shop.js, which sends `change`.
//
// Where to find what:
//   routes.js, router.js   from the address to the page; one page at a time
//   html.js                markup whose values are escaped by construction
//   api.js, session.js     the shop's HTTP API, and the session's renewal
//   forms.js, notices.js   fields with their errors; messages that are shown and read aloud
//   format.js, labels.js   money, dates and numbers as text; the API's codes as text
//   parts/, parts/operator what several pages are made of; the same for the operator's pages

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
    return plainView('Not found', html`<p class="lead">The product or order does not exist, or it was removed.</p><p><a class="button" href="/products">See all products</a></p>`);
  }
  const again = () => (problem.needsReload ? location.reload() : reload());
  if (!problem.status && problem.code !== 'unreachable') console.error(problem);
  return plainView('Something went wrong', problemNotice(problem, html`<button type="button" id="try-again" onclick=${again}>Try again</button>`));
}

function drawHeader() {
  for (const element of document.querySelectorAll('[data-for]')) {
    element.hidden = !{ user: shop.isSignedIn, guest: !shop.isSignedIn, operator: shop.isOperator }[element.dataset.for];
  }
  drawCount('cart-count', shop.cart?.item_count ?? 0, count => plural(count, 'item'));
  drawCount('inbox-count', shop.unread, count => `${count} unread`);
}

function drawCount(id, count, label) {
  const badge = document.getElementById(id);
  badge.hidden = count === 0;
  badge.replaceChildren(html`<span aria-hidden="true">${count}</span><span class="visually-hidden">, ${label(count)}</span>`);
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
// The customer signed in or out in another window.
addEventListener('storage', event => event.key?.startsWith('galleria.session') && shop.storefront().catch(() => {}));
addEventListener('page-shown', markCurrentPage);

document.getElementById('cart-link').addEventListener('click', event => {
  if (/^\/(cart|checkout)$/.test(location.pathname) || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  // If the drawer cannot be loaded, the cart page opens.
  import('./parts/cart/cart-drawer.js').then(({ openCart }) => openCart(), () => navigate('/cart'));
});

document.getElementById('track-form').addEventListener('submit', event => {
  event.preventDefault();
  const number = new FormData(event.currentTarget).get('number').replace(/\s/g, '').toUpperCase();
  if (number) navigate(`/tracking/${encodeURIComponent(number)}`);
});

connectionChanged();
// Pages read the user from `shop`. If the shop cannot be reached, the pages open for guests.
await shop.storefront().catch(() => drawHeader());
shop.countUnread().catch(() => {});
await start(PAGES, failureView, () => import('./pages/missing.js'));
