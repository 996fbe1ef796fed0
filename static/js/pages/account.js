// The customer's account: orders, addresses, cards, profile, sessions.

import { html, render } from '../html.js';
import { Attempt, closeSession, get, patch, post, put, remove } from '../api.js';
import { date, moment } from '../format.js';
import { field, submits, whileBusy } from '../forms.js';
import { announce, degradedNotice, notice, problemNotice } from '../notices.js';
import { addressFields, addressLines, addressOf } from '../parts/address-fields.js';
import { cardFields, cardOf } from '../parts/card-fields.js';
import { forSignedIn } from '../parts/gate.js';
import { rowsOutline } from '../parts/outlines.js';
import { passwordField } from '../parts/sign-in-panel.js';
import { navigate, reload } from '../router.js';
import { endSession } from '../session.js';
import { shop } from '../shop.js';
import { card, expiry } from '../labels.js';
import { orderList } from './orders.js';

export const outline = () => rowsOutline();

export default forSignedIn('Account', async ({ signal }) => {
  const [account, sessions] = await Promise.all([
    get('/account', { signal }),
    get('/users/me/sessions?limit=100', { signal }).then(({ items }) => items, () => null),
  ]);
  const { profile, addresses, payment_methods: methods, latest_orders: orders, unread_count: unread, degraded } = account;
  shop.setUnread(unread ?? shop.unread);
  const body = html`
    <div class="heading-row">
      <h1>${profile ? `Hello, ${profile.name}` : 'Your account'}</h1>
      <button type="button" id="sign-out" onclick=${signOut}>Sign out</button>
    </div>
    ${degradedNotice(degraded)}
    ${orders?.length > 0 && section('Latest orders', html`${orderList(orders)}<p><a href="/orders">All orders</a></p>`)}
    ${addresses && section('Addresses', addressBook(addresses))}
    ${methods && section('Cards', cards(methods, profile))}
    ${profile && section('Profile', profileForms(profile))}
    ${sessions && section('Where you are signed in', sessionList(sessions))}`;
  return { title: 'Account', body };
});

const section = (title, content) => html`<section><h2>${title}</h2>${content}</section>`;

async function signOut({ currentTarget }) {
  await whileBusy(currentTarget.parentElement, async () => {
    await closeSession();
    await shop.change(null);
  });
  announce('You are signed out.');
  navigate('/');
}

/** A button that runs one action. A problem is shown beside it. */
function actionButton(text, id, label, work) {
  const row = html`<span class="deed"><button type="button" class="quiet" id=${id} aria-label=${label}>${text}</button></span>`.firstElementChild;
  row.firstElementChild.addEventListener('click', async () => {
    try {
      await work();
      announce(`${label}: done.`);
      reload();
    } catch (problem) {
      row.append(problemNotice(problem));
    }
  });
  return row;
}

function addressBook(addresses) {
  return html`
    <ul class="tiles">${addresses.map(address => html`
      <li class="panel">
        ${addressLines(address)}
        <details>
          <summary>Edit</summary>
          ${addressForm(address.id, address, values => put(`/users/me/addresses/${address.id}`, values))}
        </details>
        ${actionButton('Remove', `remove-${address.id}`, `Remove the address ${address.line1}`, () => remove(`/users/me/addresses/${address.id}`))}
      </li>`)}
    </ul>
    <details class="panel">
      <summary>Add an address</summary>
      ${newAddressForm()}
    </details>`;
}

function newAddressForm() {
  const attempt = new Attempt();
  return addressForm('new-address', {}, values => post('/users/me/addresses', values, { key: attempt.keyFor(values) }));
}

const addressForm = (scope, address, save) => html`
  <form novalidate onsubmit=${submits(async values => {
    await save(addressOf(values));
    announce('The address is saved.');
    reload();
  })}>
    ${addressFields(address, { scope, section: '' })}
    <button class="primary" type="submit">Save address</button>
  </form>`;

function cards(methods, profile) {
  const attempt = new Attempt();
  const add = async values => {
    const body = { card: cardOf(values) };
    await post('/users/me/payment_methods', body, { key: attempt.keyFor(body) });
    announce('The card is saved.');
    reload();
  };
  return html`
    <ul class="tiles">${methods.map(method => html`
      <li class="panel">
        <p><strong>${card(method)}</strong></p>
        <p class="soft">Valid until ${expiry(method)}</p>
        ${actionButton('Remove', `remove-${method.id}`, `Remove the card ${card(method)}`, () => remove(`/users/me/payment_methods/${method.id}`))}
      </li>`)}
    </ul>
    <details class="panel">
      <summary>Add a card</summary>
      <form novalidate onsubmit=${submits(add)}>
        ${cardFields({ name: profile?.name })}
        <button class="primary" type="submit">Save card</button>
      </form>
    </details>`;
}

function profileForms({ name, email, created_at: since }) {
  const scope = 'profile';
  const saveProfile = async values => {
    shop.setUser(await patch('/users/me', values));
    announce('Your profile is saved.');
    reload();
  };
  const savePassword = async (values, form) => {
    await post('/users/me/password', { current_password: values.current_password, new_password: values.new_password });
    form.reset();
    const outcome = form.querySelector('.outcome');
    render(outcome, notice(html`<p>Your password is changed. All your other sessions are signed out.</p>`, 'good'));
    announce('Your password is changed.');
  };
  return html`
    <div class="tiles">
      <form class="panel" novalidate onsubmit=${submits(saveProfile)}>
        <h3>Name and e-mail</h3>
        <div class="fields">
          ${field('name', 'Name', { scope, required: true, maxlength: 100, autocomplete: 'name', value: name, wide: true })}
          ${field('email', 'E-mail', { scope, type: 'email', required: true, autocomplete: 'email', value: email, wide: true })}
        </div>
        <button class="primary" type="submit">Save</button>
        <p class="soft">Customer since ${date(since)}.</p>
      </form>
      <form class="panel" novalidate onsubmit=${submits(savePassword)}>
        <h3>Password</h3>
        <input type="hidden" autocomplete="username" value=${email}>
        <div class="fields">
          ${passwordField('current_password', 'Current password', { scope, isNew: false })}
          ${passwordField('new_password', 'New password', { scope, isNew: true })}
        </div>
        <button class="primary" type="submit">Change password</button>
        <div class="outcome"></div>
      </form>
    </div>`;
}

function sessionList(sessions) {
  const endAll = async () => {
    await remove('/users/me/sessions');
    endSession();
    await shop.change(null);
    navigate('/');
  };
  return html`
    <ul class="sessions">${sessions.map(({ id, created_at: since, last_used_at: last, current }) => html`
      <li>
        <span>${current ? html`<strong>This device</strong>` : 'Another device'} <span class="soft">since ${moment(since)}, last used ${moment(last)}</span></span>
        ${!current && actionButton('Sign out', `end-${id}`, `Sign out the session of ${moment(since)}`, () => remove(`/users/me/sessions/${id}`))}
      </li>`)}
    </ul>
    <p><button type="button" onclick=${endAll}>Sign out everywhere</button></p>`;
}
