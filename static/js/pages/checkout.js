// The checkout: address, delivery, payment and summary on one page.

import { html } from '../html.js';
import { get } from '../api.js';
import { money } from '../format.js';
import { empty } from '../notices.js';
import { checkoutForm } from '../parts/checkout/checkout-form.js';
import { orderLines, sums } from '../parts/order-lines.js';
import { rowsOutline } from '../parts/outlines.js';
import { signInPanel } from '../parts/sign-in-panel.js';
import { plainView, reload } from '../router.js';
import { shop } from '../shop.js';

export const outline = () => rowsOutline('Checkout', 3);

export default async function checkout({ signal }) {
  const cart = await get('/cart', { signal });
  shop.setCart(cart);
  if (cart.items.length === 0) {
    return plainView('Checkout', empty('Your cart is empty.', html`<p><a class="button primary" href="/products">See all products</a></p>`));
  }
  if (!shop.isSignedIn) return { title: 'Checkout', body: guestBody(cart) };
  const [addresses, methods] = await Promise.all([
    get('/users/me/addresses', { signal }),
    get('/users/me/payment_methods', { signal }),
  ]);
  signal.throwIfAborted();
  return { title: 'Checkout', body: html`<h1>Checkout</h1>${checkoutForm(cart, addresses.items, methods.items)}` };
}

const guestBody = cart => html`
  <h1>Checkout</h1>
  <div class="with-aside">
    <section aria-labelledby="who">
      <h2 id="who">Your account</h2>
      <p>Sign in or create an account, so that you can track your order. The items in your cart stay there.</p>
      ${signInPanel(() => reload())}
    </section>
    <aside class="panel summary" aria-labelledby="sum">
      <h2 id="sum">Your order</h2>
      ${orderLines(cart.items)}
      ${sums([['Delivery', 'calculated in the next step'], ['Subtotal', money(cart.subtotal)]])}
    </aside>
  </div>`;
