// The checkout, on one page: where to, how, paid with what, and what it comes to.

import { html, render } from '../html.js';
import { Attempt, get, post, remove } from '../api.js';
import { day, money, plural, sum } from '../format.js';
import { choice, clearProblem, isComplete, showProblem, valuesOf, whileBusy } from '../forms.js';
import { announce, empty, notice, problemNotice } from '../notices.js';
import { addressFields, addressLine, addressOf } from '../parts/address-fields.js';
import { cardFields, cardOf } from '../parts/card-fields.js';
import { orderLines, sums } from '../parts/order-lines.js';
import { rowsOutline } from '../parts/outlines.js';
import { signInAgain, signInPanel } from '../parts/sign-in-panel.js';
import { navigate, plainView, reload } from '../router.js';
import { shop } from '../shop.js';
import { card, SHIPPING_SERVICE } from '../labels.js';

const NEW = 'new';
const TYPING_PAUSE_MS = 400;
const ASKING = 'Asking the carriers…';
const NOT_YET = 'Times and prices show as soon as the country and the postal code are known.';

export const outline = () => rowsOutline('Checkout', 3);

export default async function checkout(visit) {
  const cart = await get('/cart', { signal: visit.signal });
  shop.setCart(cart);
  if (cart.items.length === 0) {
    return plainView('Checkout', empty('There is nothing in your cart to check out.', html`<p><a class="button primary" href="/products">Look around</a></p>`));
  }
  if (!shop.isSignedIn) return { title: 'Checkout', body: guestBody(cart) };
  const [addresses, methods] = await Promise.all([
    get('/users/me/addresses', { signal: visit.signal }),
    get('/users/me/payment_methods', { signal: visit.signal }),
  ]);
  visit.signal.throwIfAborted();
  return { title: 'Checkout', body: new Checkout(visit.signal, cart, addresses.items, methods.items).body };
}

const guestBody = cart => html`
  <h1>Checkout</h1>
  <div class="with-aside">
    <section aria-labelledby="who">
      <h2 id="who">Who is it for?</h2>
      <p>Sign in or make an account, so that you can follow your order. Your cart comes along.</p>
      ${signInPanel(() => reload())}
    </section>
    <aside class="panel summary" aria-labelledby="sum">
      <h2 id="sum">Your order</h2>
      ${orderLines(cart.items)}
      ${sums([['Delivery', 'comes next'], ['Subtotal', money(cart.subtotal)]])}
    </aside>
  </div>`;

class Checkout {
  #signal;
  #cart;
  #addresses;
  #methods;
  /** [{ service, cost, delivery_by }], `null` while they are not known */
  #quotes = null;
  /** The service that was picked; it stays picked when prices change. */
  #service = null;
  #quoting = new AbortController();
  #typing = null;
  /** What the quotes are for, as text. */
  #asked = null;
  #user = shop.user?.id;
  #order = new Attempt();
  #card = new Attempt();
  #address = new Attempt();
  #parts;

  constructor(signal, cart, addresses, methods) {
    this.#signal = signal;
    this.#cart = cart;
    this.#addresses = addresses;
    this.#methods = methods;
    const part = () => document.createElement('div');
    this.#parts = { address: part(), delivery: part(), payment: part(), summary: part() };
    this.body = this.#draw();
    this.#drawAddress(addresses[0]?.id ?? NEW);
    this.#drawPayment(methods[0]?.id ?? NEW);
    this.#drawSummary();
    this.#askQuotes();
  }

  #draw() {
    const { address, delivery, payment, summary } = this.#parts;
    const section = (id, title, content, oninput) => html`
      <section class="step" aria-labelledby=${id}>
        <h2 id=${id}>${title}</h2>
        <form id=${`${id}-form`} novalidate oninput=${oninput} onsubmit=${event => event.preventDefault()}>${content}</form>
      </section>`;
    return html`
      <h1>Checkout</h1>
      <div class="with-aside">
        <div>
          ${section('address', 'Where to?', address, () => this.#destinationChanged())}
          ${section('delivery', 'How fast?', delivery, () => this.#servicePicked())}
          ${section('payment', 'How do you pay?', payment, () => {})}
        </div>
        <aside class="panel summary in-sight" aria-labelledby="sum">${summary}</aside>
      </div>`;
  }

  #form(name) {
    return this.#parts[name].parentElement;
  }

  #picked(name) {
    return new FormData(this.#form(name)).get('picked');
  }

  #choices(name, saved, words, picked, fields, newWords) {
    const scope = `${name}-picked`;
    const onchange = () => this.#showNew(name);
    if (saved.length === 0) return html`<input type="hidden" name="picked" value=${NEW}>${fields}`;
    const id = name;
    return html`
      <div class="choices" role="radiogroup" aria-labelledby=${id}>
        ${saved.map(each => choice('picked', words(each), { scope, type: 'radio', value: each.id, checked: picked === each.id, onchange }))}
        ${choice('picked', newWords, { scope, type: 'radio', value: NEW, checked: picked === NEW, onchange })}
      </div>
      <div class="new" hidden=${picked !== NEW}>${fields}</div>`;
  }

  #showNew(name) {
    const fields = this.#parts[name].querySelector('.new');
    if (fields) fields.hidden = this.#picked(name) !== NEW;
  }

  #drawAddress(picked) {
    const fields = html`
      ${addressFields({ name: this.#addresses.length ? undefined : shop.user?.name })}
      ${choice('keep', 'Keep it in my address book', { scope: 'address', checked: true })}`;
    const words = address => html`<strong>${address.name}</strong><span class="soft">${addressLine(address)}</span>`;
    render(this.#parts.address, this.#choices('address', this.#addresses, words, picked, fields, 'Somewhere else'));
  }

  #drawPayment(picked) {
    const fields = html`${cardFields({ name: shop.user?.name })}
      <p class="hint">The card is kept in your account without its number and code; take it out there whenever you like. One that is declined is not kept.</p>`;
    const words = method => html`<strong>${card(method)}</strong><span class="soft">good until ${String(method.exp_month).padStart(2, '0')}/${method.exp_year}</span>`;
    render(this.#parts.payment, this.#choices('payment', this.#methods, words, picked, fields, 'Another card'));
  }

  /** The address as far as it is filled in; `null` while it leads nowhere. */
  #destination() {
    const picked = this.#picked('address');
    const saved = this.#addresses.find(({ id }) => id === picked);
    const address = addressOf(saved ?? valuesOf(this.#form('address')));
    const { country, postal_code, city } = address;
    return country && postal_code ? { country, postal_code, city } : null;
  }

  /** A price that was for elsewhere is not shown while the new one is asked for. */
  #destinationChanged() {
    if (JSON.stringify(this.#destination()) === this.#asked) return;
    clearTimeout(this.#typing);
    this.#quoting.abort();
    this.#quotes = null;
    this.#drawDelivery(this.#destination() ? ASKING : NOT_YET);
    this.#typing = setTimeout(() => this.#askQuotes(), TYPING_PAUSE_MS);
  }

  async #askQuotes() {
    this.#quoting.abort();
    this.#quoting = new AbortController();
    const { signal } = this.#quoting;
    const address = this.#destination();
    this.#asked = JSON.stringify(address);
    this.#quotes = null;
    this.#drawDelivery(address ? ASKING : NOT_YET);
    if (!address) return;
    const items = this.#cart.items.map(({ product_id, quantity }) => ({ product_id, quantity }));
    try {
      const { items: quotes } = await post('/shipping/quotes', { address, items }, { signal });
      if (signal.aborted || this.#signal.aborted) return;
      this.#quotes = quotes;
      this.#drawDelivery();
    } catch (problem) {
      if (signal.aborted || this.#signal.aborted) return;
      this.#drawDelivery(problemNotice(problem, problem.code !== 'undeliverable' && html`<button type="button" onclick=${() => this.#askQuotes()}>Ask again</button>`));
    }
  }

  /** @param instead words that stand there instead of quotes, or contents */
  #drawDelivery(instead = null) {
    const before = this.#service;
    const quotes = this.#quotes ?? [];
    const picked = quotes.some(({ service }) => service === before) ? before : quotes[0]?.service;
    const words = typeof instead === 'string' ? html`<p class="soft">${instead}</p>` : instead;
    render(this.#parts.delivery, words ?? html`
      <div class="choices" role="radiogroup" aria-labelledby="delivery">${quotes.map(({ service, cost, delivery_by: by }) =>
    choice('picked', html`<strong>${SHIPPING_SERVICE[service] ?? service}</strong> <span class="soft">with you by ${day(by)}</span> <span class="amount">${money(cost)}</span>`,
      { scope: 'delivery-picked', type: 'radio', value: service, checked: service === picked }))}
      </div>`);
    this.#drawSummary();
  }

  #servicePicked() {
    this.#service = this.#picked('delivery');
    this.#drawSummary();
  }

  #quote() {
    const picked = this.#picked('delivery');
    return this.#quotes?.find(({ service }) => service === picked);
  }

  #drawSummary() {
    const quote = this.#quote();
    const { items, item_count: count, subtotal } = this.#cart;
    const total = quote ? money(sum(subtotal, quote.cost)) : null;
    const isOpen = this.#parts.summary.querySelector('details')?.open ?? matchMedia('(min-width: 60rem)').matches;
    render(this.#parts.summary, html`
      <h2 id="sum">Your order</h2>
      <details open=${isOpen}>
        <summary>${plural(count, 'piece')}</summary>
        ${orderLines(items)}
        ${sums([['Subtotal', money(subtotal)], ['Delivery', quote ? money(quote.cost) : 'not known yet']])}
        <p><a href="/cart">Change the cart</a></p>
      </details>
      ${sums([['Total', total ?? `${money(subtotal)} + delivery`]])}
      <div class="outcome"></div>
      <button class="primary wide" id="place" type="button" onclick=${() => this.#place()}>Place the order${total && ` for ${total}`}</button>`);
  }

  async #place() {
    const { address, delivery, payment, summary } = this.#parts;
    for (const part of Object.values(this.#parts)) clearProblem(part);
    if (![address, payment].every(part => part.querySelector('.new')?.hidden || isComplete(part))) return;
    const quote = this.#quote();
    if (!quote) {
      showProblem(delivery, { detail: 'Choose how it is to be delivered first.' });
      return;
    }
    announce('Placing the order…');
    // What is being ordered does not change under way.
    this.#rest(true);
    await whileBusy(summary, async () => {
      const where = await this.#attempt('address', () => this.#addressOfOrder());
      const method = where && await this.#attempt('payment', () => this.#methodOfOrder());
      if (method) await this.#send({ ...where, shipping_service: quote.service, payment_method_id: method.id }, method);
    });
    this.#rest(false);
  }

  #rest(isResting) {
    for (const name of ['address', 'delivery', 'payment']) this.#form(name).inert = isResting;
  }

  /** What could not be done is told in the part that it belongs to. */
  #tell(name, problem) {
    this.#rest(false);
    if (problem.status === 401) this.#askWhoItIs();
    else showProblem(this.#parts[name], problem);
  }

  /** A session may end over a long checkout: what was filled in waits for the next one. */
  async #askWhoItIs() {
    const before = this.#user;
    const user = await signInAgain('Your session has ended. Sign in again to place the order: all that you filled in is still here.');
    if (user?.id === before) await this.#place();
    else if (user) await reload();
    else render(this.#parts.summary.querySelector('.outcome'), notice(html`<p>Nothing was ordered: you are not signed in.</p>`, 'bad'));
  }

  async #attempt(name, work) {
    try {
      return await work();
    } catch (problem) {
      this.#tell(name, problem);
      return null;
    }
  }

  async #addressOfOrder() {
    const picked = this.#picked('address');
    if (picked !== NEW) return { address_id: picked };
    const values = valuesOf(this.#form('address'));
    const address = addressOf(values);
    if (!values.keep) return { address };
    const saved = await post('/users/me/addresses', address, { key: this.#address.keyFor(address) });
    this.#address.settle();
    this.#addresses = [...this.#addresses, saved];
    this.#drawAddress(saved.id);
    return { address_id: saved.id };
  }

  /** A new card is handed in once; while the order is not decided it stays as it was typed. */
  async #methodOfOrder() {
    const picked = this.#picked('payment');
    if (picked !== NEW) return { id: picked };
    const body = { card: cardOf(valuesOf(this.#form('payment'))) };
    const method = await post('/users/me/payment_methods', body, { key: this.#card.keyFor(body) });
    return { id: method.id, added: method };
  }

  async #send(order, method) {
    try {
      const placed = await post('/orders', order, { key: this.#order.keyFor(order) });
      shop.storefront().catch(() => {});
      shop.countUnread().catch(() => {});
      navigate(`/orders/${placed.id}`, { state: { placed: true }, replace: true });
    } catch (problem) {
      if (isDecided(problem)) this.#order.settle();
      if (problem.code === 'payment_declined') await this.#declined(problem, method);
      else await this.#refused(problem, method);
    }
  }

  /** The words stand next to the card, and all that was typed stays, but the code. */
  async #declined(problem, { added }) {
    if (added) {
      this.#card.settle();
      await remove(`/users/me/payment_methods/${added.id}`).catch(() => {});
      this.#parts.payment.querySelector('[name=cvc]').value = '';
    }
    this.#tell('payment', problem);
  }

  async #refused(problem, { added }) {
    if (added) {
      this.#card.settle();
      this.#methods = [...this.#methods, added];
      this.#drawPayment(added.id);
    }
    const { code, document: { lines = [] } } = problem;
    if (code === 'out_of_stock') {
      const name = id => this.#cart.items.find(item => item.product_id === id)?.name ?? 'Something';
      const words = lines.map(line => `${name(line.product_id)}: ${line.requested} wanted, ${line.available} left.`).join(' ');
      this.#tell('summary', { ...problem, detail: `${problem.detail} ${words} Change the cart and try again.` });
    } else if (code === 'undeliverable') {
      this.#tell('address', problem);
    } else if (isDecided(problem)) {
      this.#tell('summary', problem);
    } else {
      const detail = `${problem.detail} Nobody knows yet whether the order was placed. Place it again: it is the same order, and will not be placed twice.`;
      this.#tell('summary', { ...problem, detail });
    }
  }
}

/** Whether the shop has said what became of the order, so that the next attempt is another one. */
function isDecided({ status, code }) {
  if (status === 0 || status === 502 || status === 504 || code === 'idempotency_in_flight') return false;
  return status < 500 || code === 'order_not_possible';
}
