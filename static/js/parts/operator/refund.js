// Money back to a customer's card: all that is left of it, or a part.

import { html } from '../../html.js';
import { Attempt, post } from '../../api.js';
import { money } from '../../format.js';
import { field, submits } from '../../forms.js';
import { card } from '../../labels.js';
import { ask } from './dialog.js';
import { centsOf, typedEuros } from './euros.js';

const left = ({ captured, refunded }) => ({ ...captured, amount: captured.amount - refunded.amount });

/** @returns {Promise<?object>} the refund, or null where there was none */
export function refundDialog({ name, payment, signal }) {
  const most = left(payment);
  const title = `Refund for ${name}`;
  if (most.amount === 0) return ask({ title, signal }, close => nothingLeft(payment, close));
  const attempt = new Attempt();
  return ask({ title, signal }, close => html`
    <form novalidate onsubmit=${submits(async values => close(await give(payment.id, values, most, attempt)))}>
      <p>It goes back to the ${card(payment.method)}.${payment.refunded.amount > 0 && ` ${money(payment.refunded)} of ${money(payment.captured)} went back already.`}</p>
      <div class="fields">
        ${field('amount', 'Euros', {
          scope: 'refund',
          required: true,
          inputmode: 'decimal',
          autocomplete: 'off',
          maxlength: 12,
          value: typedEuros(most.amount),
          wide: true,
          hint: `At most ${money(most)}, which is all that is left.`,
        })}
        ${field('reason', 'Why?', { scope: 'refund', required: true, maxlength: 200, wide: true })}
      </div>
      <div class="actions">
        <button class="primary" type="submit">Give it back</button>
        <button type="button" onclick=${() => close()}>Do not</button>
      </div>
    </form>`);
}

const nothingLeft = ({ captured }, close) => html`
  <p>${captured.amount ? `All of it, ${money(captured)}, went back already.` : 'Nothing was charged for it, so there is nothing to give back.'}</p>
  <div class="actions"><button type="button" onclick=${() => close()}>Close</button></div>`;

async function give(paymentId, { amount: typed, reason }, most, attempt) {
  const cents = centsOf(typed);
  if (!cents) throw atAmount('Write it in euros and cents, such as 12.50.');
  if (cents > most.amount) throw atAmount(`That is more than the ${money(most)} that are left.`);
  const body = { amount: { ...most, amount: cents }, reason };
  try {
    const refund = await post(`/payments/${paymentId}/refunds`, body, { key: attempt.keyFor(body) });
    attempt.settle();
    return refund;
  } catch (problem) {
    if (problem.code !== 'refund_too_large') throw problem;
    attempt.settle();
    throw atAmount(`Somebody gave some of it back meanwhile: ${money(problem.document.left)} are left.`);
  }
}

/** As the shop says it, so that the form shows it at the field. */
const atAmount = reason => ({ errors: [{ pointer: '/amount', reason }] });
