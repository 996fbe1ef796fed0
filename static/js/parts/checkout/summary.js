// <checkout-summary>: the order's items and total, and the button that places it. Sends `place`.

import { html, render } from '../../html.js';
import { money, plural, sum } from '../../format.js';
import { clearProblem, showProblem } from '../../forms.js';
import { notice } from '../../notices.js';
import { orderLines, sums } from '../order-lines.js';

class CheckoutSummary extends HTMLElement {
  #cart;

  static of(cart) {
    const summary = document.createElement('checkout-summary');
    summary.#cart = cart;
    summary.show();
    return summary;
  }

  /** @param quote the delivery that is picked; the total is not known without it */
  show(quote) {
    const { items, item_count: count, subtotal } = this.#cart;
    const total = quote ? money(sum(subtotal, quote.cost)) : null;
    const isOpen = this.querySelector('details')?.open ?? matchMedia('(min-width: 60rem)').matches;
    render(this, html`
      <h2 id="sum">Your order</h2>
      <details open=${isOpen}>
        <summary>${plural(count, 'item')}</summary>
        ${orderLines(items)}
        ${sums([['Subtotal', money(subtotal)], ['Delivery', quote ? money(quote.cost) : 'not known yet']])}
        <p><a href="/cart">Edit the cart</a></p>
      </details>
      ${sums([['Total', total ?? `${money(subtotal)} + delivery`]])}
      <div class="outcome"></div>
      <button class="primary wide" id="place" type="button" onclick=${() => this.dispatchEvent(new Event('place'))}>Place the order${total && ` for ${total}`}</button>`);
  }

  tell(problem) {
    showProblem(this, problem);
  }

  clearProblem() {
    clearProblem(this);
  }

  warn(text) {
    render(this.querySelector('.outcome'), notice(html`<p>${text}</p>`, 'bad'));
  }
}

customElements.define('checkout-summary', CheckoutSummary);
export const checkoutSummary = CheckoutSummary.of;
