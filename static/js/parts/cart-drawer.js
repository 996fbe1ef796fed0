// The cart in a drawer beside the page: after something was put in it, and from the header.

import { html, render } from '../html.js';
import { get } from '../api.js';
import { money } from '../format.js';
import { problemNotice } from '../notices.js';
import { shop } from '../shop.js';
import { checkOut, showCart } from './cart-lines.js';
import { sums } from './order-lines.js';

let drawer = null;

/** @param said words about what has just been put in */
export async function openCart(said = null) {
  drawer?.close();
  const content = html`<div class="cart-content"></div>`.firstElementChild;
  const dialog = html`
    <dialog class="drawer" aria-labelledby="drawer-title">
      <div class="heading-row">
        <h2 id="drawer-title" tabindex="-1">Your cart</h2>
        <button type="button" class="quiet" onclick=${() => dialog.close()}>Close</button>
      </div>
      ${said && html`<p class="notice good">${said}</p>`}
      ${content}
    </dialog>`.firstElementChild;
  drawer = dialog;
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (drawer === dialog) drawer = null;
  });
  // What is not in the drawer is beside it.
  dialog.addEventListener('click', event => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector('h2').focus();
  await fill(content);
}

async function fill(content) {
  try {
    const cart = await get('/cart');
    shop.setCart(cart);
    showCart(content, cart, withSum);
  } catch (problem) {
    render(content, problemNotice(problem, html`<button type="button" onclick=${() => fill(content)}>Try again</button>`));
  }
}

const withSum = (lines, cart) => html`
  ${lines}
  ${sums([['Subtotal', money(cart.subtotal)]])}
  <p class="soft">Delivery is added at the checkout.</p>
  <div class="actions">${checkOut(cart)}<a class="button wide" href="/cart">Go to the cart</a></div>`;

addEventListener('page-shown', () => drawer?.close());
