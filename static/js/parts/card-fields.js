// The fields of a payment card, and test cards, one for each answer of a bank.

import { html } from '../html.js';
import { field } from '../forms.js';

/** The test cards: number, the bank's answer, CVC. */
const TEST_CARDS = [
  ['4242 4242 4242 4242', 'Visa, is accepted'],
  ['5555 5555 5555 4444', 'Mastercard, is accepted'],
  ['3782 822463 10005', 'American Express, is accepted', '1234'],
  ['4000 0000 0000 0002', 'is declined'],
  ['4000 0000 0000 9995', 'is declined: not enough money'],
  ['4000 0000 0000 9987', 'is declined: lost card'],
  ['4000 0000 0000 9979', 'is declined: stolen card'],
  ['4000 0000 0000 0069', 'is declined: expired card'],
  ['4000 0000 0000 0127', 'is declined: wrong security code'],
  ['4000 0000 0000 0119', 'is declined: the bank could not process it'],
  ['4000 0000 0000 6975', 'is declined: used too often'],
  ['4000 0000 0000 5126', 'is accepted, but its refunds fail'],
];

const YEARS = 15;

export function cardFields({ scope = 'card', name = '' } = {}) {
  const months = Array.from({ length: 12 }, (_, at) => [at + 1, String(at + 1).padStart(2, '0')]);
  const years = Array.from({ length: YEARS }, (_, at) => new Date().getFullYear() + at).map(year => [year, year]);
  return html`
    <div class="fields card-fields">
      ${field('number', 'Card number', {
        scope,
        required: true,
        wide: true,
        inputmode: 'numeric',
        autocomplete: 'cc-number',
        maxlength: 25,
        check: number => !isCardNumber(number) && 'This is not a valid card number. Check its digits.',
        hint: 'This is a demonstration: use a test card, never a real card.',
      })}
      ${field('exp_month', 'Month', { scope, required: true, options: [['', 'MM'], ...months], autocomplete: 'cc-exp-month' })}
      ${field('exp_year', 'Year', { scope, required: true, options: [['', 'YYYY'], ...years], autocomplete: 'cc-exp-year' })}
      ${field('cvc', 'Security code', { scope, required: true, inputmode: 'numeric', autocomplete: 'cc-csc', pattern: '[0-9]{3,4}', maxlength: 4 })}
      ${field('name', 'Name on the card', { scope, required: true, wide: true, autocomplete: 'cc-name', maxlength: 100, value: name })}
    </div>
    <details class="test-cards">
      <summary>Use a test card</summary>
      <ul>${TEST_CARDS.map(([number, result, cvc = '123']) => html`
        <li><button type="button" class="quiet" onclick=${event => fillIn(event, scope, { number, cvc })}>
          <span class="card-number">${number}</span> ${result}
        </button></li>`)}
      </ul>
    </details>`;
}

/** Checks the length and the check digit (ISO/IEC 7812-1, Luhn). */
export function isCardNumber(number) {
  const digits = number.replace(/[\s-]/g, '');
  if (!/^\d{12,19}$/.test(digits)) return false;
  const sum = [...digits].reverse().reduce((sum, digit, at) => {
    const counted = Number(digit) * (at % 2 + 1);
    return sum + (counted > 9 ? counted - 9 : counted);
  }, 0);
  return sum % 10 === 0;
}

function fillIn({ currentTarget }, scope, { number, cvc }) {
  const root = currentTarget.getRootNode();
  const set = (name, value) => {
    const control = root.getElementById(`${scope}-${name}`);
    if (!control) return;
    control.value = value;
    control.dispatchEvent(new Event('input', { bubbles: true }));
  };
  set('number', number);
  set('cvc', cvc);
  set('exp_month', 12);
  set('exp_year', new Date().getFullYear() + 3);
  const name = root.getElementById(`${scope}-name`);
  name.value ||= 'Test Card';
  currentTarget.closest('details').open = false;
  root.getElementById(`${scope}-number`).focus();
}

/** The form's values as the API's card. */
export const cardOf = values => ({
  number: values.number,
  exp_month: Number(values.exp_month),
  exp_year: Number(values.exp_year),
  cvc: values.cvc,
  name: values.name,
});
