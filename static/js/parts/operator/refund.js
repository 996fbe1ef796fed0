// A dialog that refunds a payment to the customer's card, in full or in part.

import { html } from '../../html.js';
import { Attempt, post } from '../../api.js';
import { money } from '../../format.js';
import { field, submits } from '../../forms.js';
import { card } from '../../labels.js';
import { ask } from '../dialog.js';
import { centsOf, typedEuros } from './euros.js';

const remaining = ({ captured, refunded }) => ({ ...captured, amount: captured.amount - refunded.amount });

/** @returns {Promise<?object>} the refund; null if the operator closed the dialog */
export function refundDialog({ name, payment, signal }) {
  const most = remaining(payment);
  const title = `Refund for ${name}`;
  if (most.amount === 0) return ask({ title, signal }, close => nothingLeft(payment, close));
  const attempt = new Attempt();
  return ask({ title, signal }, close => html`
    <form novalidate onsubmit=${submits(async values => close(await refund(payment.id, values, most, attempt)))}>
      <p>The refund goes to the ${card(payment.method)}.${payment.refunded.amount > 0 && ` ${money(payment.refunded)} of ${money(payment.captured)} are already refunded.`}</p>
      <div class="fields">
        ${field('amount', 'Amount in euros', {
          scope: 'refund',
          required: true,
          inputmode: 'decimal',
          autocomplete: 'off',
          maxlength: 12,
          value: typedEuros(most.amount),
          wide: true,
          hint: `At most ${money(most)}, the amount that is not refunded yet.`,
        })}
        ${field('reason', 'Reason', { scope: 'refund', required: true, maxlength: 200, wide: true })}
      </div>
      <div class="actions">
        <button class="primary" type="submit">Refund</button>
        <button type="button" onclick=${() => close()}>Cancel</button>
      </div>
    </form>`);
}

const nothingLeft = ({ captured }, close) => html`
  <p>${captured.amount ? `The full amount, ${money(captured)}, is already refunded.` : 'Nothing was charged, so there is nothing to refund.'}</p>
  <div class="actions"><button type="button" onclick=${() => close()}>Close</button></div>`;

async function refund(paymentId, { amount: typed, reason }, most, attempt) {
  const cents = centsOf(typed);
  if (!cents) throw atAmount('Enter euros and cents, such as 12.50.');
  if (cents > most.amount) throw atAmount(`Enter at most ${money(most)}.`);
  const body = { amount: { ...most, amount: cents }, reason };
  try {
    const made = await post(`/payments/${paymentId}/refunds`, body, { key: attempt.keyFor(body) });
    attempt.settle();
    return made;
  } catch (problem) {
    if (problem.code !== 'refund_too_large') throw problem;
    attempt.settle();
    throw atAmount(`Another refund was made in the meantime. Enter at most ${money(problem.document.left)}.`);
  }
}

/** In the form of the API's errors, so that it shows at the field. */
const atAmount = reason => ({ errors: [{ pointer: '/amount', reason }] });
