// The form by which a customer returns items of an order, all of them or some.

import { html } from '../../html.js';
import { Attempt, get, post } from '../../api.js';
import { money } from '../../format.js';
import { field, submits, valuesOf } from '../../forms.js';
import { quantityStepper } from '../quantity-stepper.js';

/**
 * @param onReturned `(order, text)`: the order after the return, and a sentence about the refund
 * @returns markup, or `null` where every item was returned already
 */
export function returnForm(order, onReturned) {
  const left = order.items.filter(({ quantity, returned }) => returned < quantity);
  if (!left.length) return null;
  const attempt = new Attempt();
  const send = async (_, form) => {
    const values = valuesOf(form);
    const lines = left.map(({ product_id }) => ({ product_id, quantity: Number(values[product_id]) })).filter(({ quantity }) => quantity > 0);
    if (!lines.length) throw { detail: 'Choose at least one item to return.' };
    const body = { lines, reason: values.reason };
    const refund = await post(`/orders/${order.id}/returns`, body, { key: attempt.keyFor(body) });
    attempt.settle();
    onReturned(await get(`/orders/${order.id}`), `${money(refund.amount)} will be refunded to the card.`);
  };
  return html`
    <details class="panel returning">
      <summary>Return items</summary>
      <form novalidate onsubmit=${submits(send)}>
        <ul class="return-lines">${left.map(({ product_id: id, name, quantity, returned }) => html`
          <li><span>${name}</span> ${quantityStepper({ id: `return-${id}`, name: id, label: `Quantity of ${name} to return`, value: 0, least: 0, most: quantity - returned })}</li>`)}
        </ul>
        ${field('reason', 'Reason', { scope: 'return', required: true, maxlength: 200, wide: true })}
        <button class="primary" type="submit">Return them</button>
      </form>
    </details>`;
}
