// <checkout-form>: the three steps and the summary, and the order that they place together.

import { html } from '../../html.js';
import { Attempt, post } from '../../api.js';
import { whileBusy } from '../../forms.js';
import { announce } from '../../notices.js';
import { navigate, reload } from '../../router.js';
import { shop } from '../../shop.js';
import { signInAgain } from '../sign-in-panel.js';
import { addressStep } from './address-step.js';
import { deliveryStep } from './delivery-step.js';
import { paymentStep } from './payment-step.js';
import { isDecided, refusalOf } from './refusals.js';
import { checkoutSummary } from './summary.js';

class CheckoutForm extends HTMLElement {
  #cart;
  #address;
  #delivery;
  #payment;
  #summary;
  #user = shop.user?.id;
  #attempt = new Attempt();

  static of(cart, addresses, methods) {
    const form = document.createElement('checkout-form');
    form.#cart = cart;
    form.#address = addressStep(addresses);
    form.#delivery = deliveryStep(cart.items);
    form.#payment = paymentStep(methods);
    form.#summary = checkoutSummary(cart);
    form.#draw();
    return form;
  }

  #draw() {
    const [address, delivery, summary] = [this.#address, this.#delivery, this.#summary];
    address.addEventListener('input', () => delivery.deliverTo(address.destination, { isTyped: true }));
    delivery.addEventListener('quote-changed', () => summary.show(delivery.quote));
    summary.addEventListener('place', () => this.#place());
    this.append(html`
      <div class="with-aside">
        <div>${address}${delivery}${this.#payment}</div>
        <aside class="panel summary in-sight" aria-labelledby="sum">${summary}</aside>
      </div>`);
    delivery.deliverTo(address.destination);
  }

  get #steps() {
    return [this.#address, this.#delivery, this.#payment];
  }

  async #place() {
    for (const part of [...this.#steps, this.#summary]) part.clearProblem();
    if (![this.#address, this.#payment].every(step => step.isComplete)) return;
    const { quote } = this.#delivery;
    if (!quote) {
      this.#delivery.tell({ detail: 'Choose a delivery service first.' });
      return;
    }
    announce('Placing the order…');
    this.#lock(true);
    await whileBusy(this.#summary, async () => {
      const address = await this.#ask(this.#address);
      const method = address && await this.#ask(this.#payment);
      if (method) await this.#send({ ...address, shipping_service: quote.service, payment_method_id: method.id }, method);
    });
    this.#lock(false);
  }

  #lock(isLocked) {
    for (const step of this.#steps) step.isLocked = isLocked;
  }

  /** What the step adds to the order; `null` if that failed, and the step shows why. */
  async #ask(step) {
    try {
      return await step.forOrder();
    } catch (problem) {
      this.#tell(step, problem);
      return null;
    }
  }

  #tell(part, problem) {
    this.#lock(false);
    if (problem.status === 401) this.#signInAgain();
    else part.tell(problem);
  }

  /**
   * A session can end during the checkout. The fields keep their text until the customer is signed
   * in again.
   */
  async #signInAgain() {
    const user = await signInAgain('Your session has ended. Sign in again to place the order. Everything that you entered is still here.');
    if (user?.id === this.#user) await this.#place();
    else if (user) await reload();
    else this.#summary.warn('The order was not placed: you are not signed in.');
  }

  async #send(order, { added }) {
    try {
      const placed = await post('/orders', order, { key: this.#attempt.keyFor(order) });
      shop.storefront().catch(() => {});
      shop.countUnread().catch(() => {});
      navigate(`/orders/${placed.id}`, { state: { placed: true }, replace: true });
    } catch (problem) {
      if (isDecided(problem)) this.#attempt.settle();
      if (problem.code === 'payment_declined') await this.#payment.drop(added);
      else this.#payment.keep(added);
      const refusal = refusalOf(problem, this.#cart.items);
      this.#tell({ payment: this.#payment, address: this.#address, summary: this.#summary }[refusal.step], refusal.problem);
    }
  }
}

customElements.define('checkout-form', CheckoutForm);
export const checkoutForm = CheckoutForm.of;
