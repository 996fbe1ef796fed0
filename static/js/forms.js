// Fields with labels, hints and errors tied to them, and forms that say what is wrong where.

import { html, render } from './html.js';
import { problemWords } from './notices.js';

/**
 * A labelled control. `options` ([[value, label], …]) makes it a list, `rows` a text of several lines; `check` says in words
 * what is wrong with a value, beyond what the browser finds, or nothing; everything else is an attribute of the control.
 * `scope` keeps the ids of two forms on one page apart.
 */
export function field(name, label, { scope = 'f', hint, options, rows, check, value = '', wide = false, ...attributes } = {}) {
  const id = `${scope}-${name}`;
  const control = document.createElement(options ? 'select' : rows ? 'textarea' : 'input');
  control.append(...(options ?? []).map(([each, words]) => new Option(words, each)));
  const given = { id, name, rows, 'aria-describedby': `${hint ? `${id}-hint ` : ''}${id}-error`, ...attributes };
  for (const [attribute, each] of Object.entries(given)) {
    if (typeof each === 'function') control[attribute] = each;
    else if (each === true) control.setAttribute(attribute, '');
    else if (each !== false && each !== undefined && each !== null) control.setAttribute(attribute, each);
  }
  control.value = value ?? '';
  tellEarly(control, check);
  return html`
    <div class=${`field ${wide ? 'wide' : ''}`}>
      <label for=${id}>${label}${!attributes.required && !options && html` <span class="optional">(optional)</span>`}</label>
      ${attributes.type === 'password' ? revealable(control) : control}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
      <p class="field-error" id=${`${id}-error`} hidden></p>
    </div>`;
}

/** What is wrong is told when the field is left, not while it is typed in; what is right again at once. */
function tellEarly(control, check = () => '') {
  const isRight = () => {
    control.setCustomValidity(control.value ? check(control.value) || '' : '');
    return control.validity.valid;
  };
  isRight();
  control.addEventListener('input', () => {
    if (isRight()) clearError(control);
  });
  control.addEventListener('change', () => {
    if (control.value && !isRight()) setError(control, control.validationMessage);
  });
}

/** What is typed unseen is mistyped unseen: it can be looked at. */
function revealable(control) {
  const words = document.createElement('span');
  const show = isShown => {
    control.type = isShown ? 'text' : 'password';
    words.textContent = isShown ? 'Hide' : 'Show';
  };
  show(false);
  return html`
    <div class="joined">
      ${control}
      <button type="button" aria-controls=${control.id} onclick=${() => show(control.type === 'password')}>${words}<span class="visually-hidden"> what is typed</span></button>
    </div>`;
}

/** A box to tick, or with `type: 'radio'` one of several to pick. */
export function choice(name, contents, { scope = 'f', type = 'checkbox', value = 'true', checked = false, onchange = () => {} } = {}) {
  const id = `${scope}-${name}-${value}`;
  return html`
    <label class="choice" for=${id}>
      <input type=${type} id=${id} name=${name} value=${value} checked=${checked} onchange=${onchange}>
      <span class="choice-words">${contents}</span>
    </label>`;
}

/** What was typed, by name; `undefined` for what was left empty. */
export function valuesOf(form) {
  const values = {};
  for (const [name, value] of new FormData(form)) values[name] = value.trim() || undefined;
  return values;
}

/**
 * A form's `onsubmit`: nothing is sent before all fields are right; the buttons rest while `act(values, form)` works;
 * what the shop says against it is shown at its field, or on top of the form.
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

// A button that rests keeps the focus, which a disabled one would lose; what it would do does not happen.
document.addEventListener('click', event => {
  if (event.target.closest?.('[aria-disabled=true]')) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

/** Whether the browser finds every field right; says so at those that are not, and goes to the first. */
export function isComplete(root) {
  const wrong = [...root.querySelectorAll('input, select, textarea')].filter(control => !control.disabled && !control.validity.valid);
  for (const control of wrong) setError(control, control.validationMessage);
  wrong[0]?.focus();
  return wrong.length === 0;
}

export function setError(control, words) {
  const error = document.getElementById(`${control.id}-error`);
  control.setAttribute('aria-invalid', 'true');
  if (!error) return;
  error.textContent = words;
  error.hidden = false;
}

function clearError(control) {
  control.removeAttribute('aria-invalid');
  const error = document.getElementById(`${control.id}-error`);
  if (!error) return;
  error.hidden = true;
  // What describes a field is read out even where it is hidden.
  error.textContent = '';
}

export function clearProblem(root) {
  for (const control of root.querySelectorAll('[aria-invalid]')) clearError(control);
  for (const problem of root.querySelectorAll('.form-problem')) problem.remove();
}

/** At the fields that the problem's pointers lead to (`/card/number` leads to `number`); all else at `place`. */
export function showProblem(root, problem, place = root) {
  const told = problem.errors?.filter(({ pointer, reason }) => {
    const control = root.querySelector(`[name="${CSS.escape(pointer.split('/').pop())}"]`);
    if (control) setError(control, sentence(reason));
    return control;
  });
  root.querySelector('[aria-invalid]')?.focus();
  if (told?.length && told.length === problem.errors.length) return;
  const box = html`<div class="form-problem notice bad" role="alert" tabindex="-1"></div>`.firstElementChild;
  render(box, problemWords(problem));
  place.prepend(box);
  if (!told?.length) box.focus();
}

const sentence = words => `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? '' : '.'}`;
