// <payment-step>: which card pays: a saved one or a new one.

import { html } from '../../html.js';
import { Attempt, post, remove } from '../../api.js';
import { valuesOf } from '../../forms.js';
import { card, expiry } from '../../labels.js';
import { shop } from '../../shop.js';
import { cardFields, cardOf } from '../card-fields.js';
import { CheckoutStep, NEW } from './step.js';

class PaymentStep extends CheckoutStep {
  #saved;
  #attempt = new Attempt();

  /** @param saved the customer's saved cards */
  static of(saved) {
    const step = document.createElement('payment-step');
    step.#saved = saved;
    step.setUp('payment', 'Payment');
    step.#draw(saved[0]?.id ?? NEW);
    return step;
  }

  #draw(picked) {
    this.showChoices({
      name: 'payment',
      saved: this.#saved,
      labelOf: method => html`<strong>${card(method)}</strong><span class="soft">valid until ${expiry(method)}</span>`,
      picked,
      newLabel: 'A new card',
    }, html`${cardFields({ name: shop.user?.name })}
      <p class="hint">The card is saved in your account without its full number and security code. You can remove it there at any time. A declined card is not saved.</p>`);
  }

  /**
   * @returns `{ id, added }`: the id to pay with; `added` is the payment method if the card is new
   */
  async forOrder() {
    if (this.picked !== NEW) return { id: this.picked };
    const body = { card: cardOf(valuesOf(this.form)) };
    // The same card with the same key is saved once, however often the order is tried.
    const method = await post('/users/me/payment_methods', body, { key: this.#attempt.keyFor(body) });
    return { id: method.id, added: method };
  }

  /**
   * After a decline: a new card is removed from the account. Its fields keep their text, except the
   * security code.
   */
  async drop(added) {
    if (!added) return;
    this.#attempt.settle();
    await remove(`/users/me/payment_methods/${added.id}`).catch(() => {});
    this.form.querySelector('[name=cvc]').value = '';
  }

  /** After any other failure: a new card stays saved and picked. */
  keep(added) {
    if (!added) return;
    this.#attempt.settle();
    this.#saved = [...this.#saved, added];
    this.#draw(added.id);
  }
}

customElements.define('payment-step', PaymentStep);
export const paymentStep = PaymentStep.of;
