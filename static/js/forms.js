// Form fields with label, hint and error, and the submission of forms.

import { html, render } from './html.js';
import { problemText } from './notices.js';
import { sentence } from './format.js';

/**
 * A control with its label. `options` ([[value, label], …]) makes it a select, `rows` a textarea.
 * `check(value)` returns an error text, or nothing, for a value that the browser's own validation
 * accepts. `scope` is the prefix of the ids, so that two forms can be on one page. Every other
 * option becomes an attribute of the control.
 */
export function field(name, label, { scope = 'f', hint, options, rows, check, value = '', wide = false, ...attributes } = {}) {
  const id = `${scope}-${name}`;
  const control = document.createElement(options ? 'select' : rows ? 'textarea' : 'input');
  control.append(...(options ?? []).map(([each, text]) => new Option(text, each)));
  const given = { id, name, rows, 'aria-describedby': `${hint ? `${id}-hint ` : ''}${id}-error`, ...attributes };
  for (const [attribute, each] of Object.entries(given)) {
    if (typeof each === 'function') control[attribute] = each;
    else if (each === true) control.setAttribute(attribute, '');
    else if (each !== false && each !== undefined && each !== null) control.setAttribute(attribute, each);
  }
  control.value = value ?? '';
  validate(control, check);
  return html`
    <div class=${`field ${wide ? 'wide' : ''}`}>
      <label for=${id}>${label}${!attributes.required && !options && html` <span class="optional">(optional)</span>`}</label>
      ${attributes.type === 'password' ? revealable(control) : control}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
      <p class="field-error" id=${`${id}-error`} hidden></p>
    </div>`;
}

/**
 * An error shows when the customer leaves the field, not during typing. It disappears as soon as
 * the value is valid.
 */
function validate(control, check = () => '') {
  const isValid = () => {
    control.setCustomValidity(control.value ? check(control.value) || '' : '');
    return control.validity.valid;
  };
  isValid();
  control.addEventListener('input', () => {
    if (isValid()) clearError(control);
  });
  control.addEventListener('change', () => {
    if (control.value && !isValid()) setError(control, control.validationMessage);
  });
}

/** A password field with a button that shows the password. */
function revealable(control) {
  const label = document.createElement('span');
  const show = isShown => {
    control.type = isShown ? 'text' : 'password';
    label.textContent = isShown ? 'Hide' : 'Show';
  };
  show(false);
  return html`
    <div class="joined">
      ${control}
      <button type="button" aria-controls=${control.id} onclick=${() => show(control.type === 'password')}>${label}<span class="visually-hidden"> the password</span></button>
    </div>`;
}

/** A checkbox, or with `type: 'radio'` a radio button. */
export function choice(name, contents, { scope = 'f', type = 'checkbox', value = 'true', checked = false, onchange = () => {} } = {}) {
  const id = `${scope}-${name}-${value}`;
  return html`
    <label class="choice" for=${id}>
      <input type=${type} id=${id} name=${name} value=${value} checked=${checked} onchange=${onchange}>
      <span class="choice-words">${contents}</span>
    </label>`;
}

/** The values by field name, without surrounding spaces; `undefined` for an empty field. */
export function valuesOf(form) {
  const values = {};
  for (const [name, value] of new FormData(form)) values[name] = value.trim() || undefined;
  return values;
}

/**
 * A form's `onsubmit`. It calls `act(values, form)` if all fields are valid. The buttons are
 * disabled until `act` has finished. If `act` throws, the problem shows at its field or above the
 * form.
 */
export function submits(act) {
  return async event => {
    event.preventDefault();
    const form = event.currentTarget;
    clearProblem(form);
    if (!isComplete(form)) return;
    await whileBusy(form, async () => {
      try {
        await act(valuesOf(form), form);
      } catch (problem) {
        showProblem(form, problem);
      }
    });
  };
}

export async function whileBusy(form, work) {
  const buttons = [...form.querySelectorAll('button')].filter(button => !button.disabled);
  form.setAttribute('aria-busy', 'true');
  for (const button of buttons) button.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    form.removeAttribute('aria-busy');
    for (const button of buttons) button.removeAttribute('aria-disabled');
  }
}

// `aria-disabled` instead of `disabled`: the button keeps the focus, and its clicks are stopped
// here.
document.addEventListener('click', event => {
  if (event.target.closest?.('[aria-disabled=true]')) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

/**
 * Whether every field is valid. Shows the errors of the others, and moves the focus to the first of
 * them.
 */
export function isComplete(root) {
  const invalid = [...root.querySelectorAll('input, select, textarea')].filter(control => !control.disabled && !control.validity.valid);
  for (const control of invalid) setError(control, control.validationMessage);
  invalid[0]?.focus();
  return invalid.length === 0;
}

export function setError(control, text) {
  const error = document.getElementById(`${control.id}-error`);
  control.setAttribute('aria-invalid', 'true');
  if (!error) return;
  error.textContent = text;
  error.hidden = false;
}

function clearError(control) {
  control.removeAttribute('aria-invalid');
  const error = document.getElementById(`${control.id}-error`);
  if (!error) return;
  error.hidden = true;
  // A screen reader reads the description of a field even if it is hidden.
  error.textContent = '';
}

export function clearProblem(root) {
  for (const control of root.querySelectorAll('[aria-invalid]')) clearError(control);
  for (const problem of root.querySelectorAll('.form-problem')) problem.remove();
}

/**
 * Shows each error at the field that its pointer names (`/card/number` names `number`), and a
 * problem without fields on top.
 */
export function showProblem(root, problem) {
  const shown = problem.errors?.filter(({ pointer, reason }) => {
    const control = root.querySelector(`[name="${CSS.escape(pointer.split('/').pop())}"]`);
    if (control) setError(control, sentence(reason));
    return control;
  });
  root.querySelector('[aria-invalid]')?.focus();
  if (shown?.length && shown.length === problem.errors.length) return;
  const box = html`<div class="form-problem notice bad" role="alert" tabindex="-1"></div>`.firstElementChild;
  render(box, problemText(problem));
  root.prepend(box);
  if (!shown?.length) box.focus();
}
