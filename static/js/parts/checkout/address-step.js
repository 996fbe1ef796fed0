// <address-step>: where the order is delivered to: a saved address or a new one.

import { html } from '../../html.js';
import { Attempt, post } from '../../api.js';
import { choice, valuesOf } from '../../forms.js';
import { shop } from '../../shop.js';
import { addressFields, addressLine, addressOf } from '../address-fields.js';
import { CheckoutStep, NEW } from './step.js';

class AddressStep extends CheckoutStep {
  #saved;
  #attempt = new Attempt();

  /** @param saved the customer's address book */
  static of(saved) {
    const step = document.createElement('address-step');
    step.#saved = saved;
    step.setUp('address', 'Delivery address');
    step.#draw(saved[0]?.id ?? NEW);
    return step;
  }

  #draw(picked) {
    this.showChoices({
      name: 'address',
      saved: this.#saved,
      labelOf: address => html`<strong>${address.name}</strong><span class="soft">${addressLine(address)}</span>`,
      picked,
      newLabel: 'A new address',
    }, html`
      ${addressFields({ name: this.#saved.length ? undefined : shop.user?.name })}
      ${choice('keep', 'Save this address in my account', { scope: 'address', checked: true })}`);
  }

  /**
   * The parts of the address that decide the delivery's price; `null` while country or postal code
   * is missing.
   */
  get destination() {
    const saved = this.#saved.find(({ id }) => id === this.picked);
    const { country, postal_code, city } = addressOf(saved ?? valuesOf(this.form));
    return country && postal_code ? { country, postal_code, city } : null;
  }

  /**
   * @returns what an order says of its address: the id of a saved one, or the address itself. Saves
   *   a new one on request.
   */
  async forOrder() {
    if (this.picked !== NEW) return { address_id: this.picked };
    const values = valuesOf(this.form);
    const address = addressOf(values);
    if (!values.keep) return { address };
    const saved = await post('/users/me/addresses', address, { key: this.#attempt.keyFor(address) });
    this.#attempt.settle();
    this.#saved = [...this.#saved, saved];
    this.#draw(saved.id);
    return { address_id: saved.id };
  }
}

customElements.define('address-step', AddressStep);
export const addressStep = AddressStep.of;
