// <quantity-stepper>: a quantity, by buttons or by typing. Sends `change` when the quantity
// changes.

import { html } from '../html.js';

class QuantityStepper extends HTMLElement {
  #input;
  #least;
  #most;

  /**
   * @param {{id: string, label: string, name?: string, value: number, least?: number, most?:
   *   number}} options
   */
  static of({ id, label, name = 'quantity', value, least = 1, most = 999 }) {
    const stepper = document.createElement('quantity-stepper');
    stepper.#least = least;
    stepper.#most = Math.max(most, least);
    stepper.append(html`
      <button type="button" id=${`${id}-less`} aria-label=${`Decrease: ${label}`} onclick=${() => stepper.#step(-1)}>−</button>
      <input id=${id} name=${name} type="number" inputmode="numeric" required min=${least} max=${stepper.#most} step="1"
        value=${value} aria-label=${label} onchange=${event => stepper.#typed(event)}>
      <button type="button" id=${`${id}-more`} aria-label=${`Increase: ${label}`} onclick=${() => stepper.#step(1)}>+</button>`);
    stepper.#input = stepper.querySelector('input');
    return stepper;
  }

  get value() {
    return Number(this.#input.value);
  }

  #step(by) {
    const value = this.#within(this.value + by);
    if (value === this.value) return;
    this.#input.value = value;
    this.dispatchEvent(new Event('change', { bubbles: true }));
  }

  #typed(event) {
    event.stopPropagation();
    this.#input.value = this.#within(Math.round(this.value) || this.#least);
    this.dispatchEvent(new Event('change', { bubbles: true }));
  }

  #within(value) {
    return Math.min(Math.max(value, this.#least), this.#most);
  }
}

customElements.define('quantity-stepper', QuantityStepper);
export const quantityStepper = QuantityStepper.of;
