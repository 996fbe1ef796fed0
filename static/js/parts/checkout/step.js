// What the three steps of the checkout have in common: a heading, a form, and errors that are shown
// in the step.

import { html, render } from '../../html.js';
import { choice, clearProblem, isComplete, showProblem } from '../../forms.js';

/** The choice that stands for a new address or card, beside the ids of the saved ones. */
export const NEW = 'new';

export class CheckoutStep extends HTMLElement {
  #content = document.createElement('div');
  #form;

  /** @param name the id of the heading; the ids of the form and the choices start with it */
  setUp(name, title) {
    this.className = 'step';
    this.role = 'region';
    this.setAttribute('aria-labelledby', name);
    this.#form = html`<form id=${`${name}-form`} novalidate onsubmit=${event => event.preventDefault()}>${this.#content}</form>`.firstElementChild;
    this.append(html`<h2 id=${name}>${title}</h2>`, this.#form);
  }

  get form() {
    return this.#form;
  }

  get picked() {
    return new FormData(this.#form).get('picked');
  }

  show(contents) {
    render(this.#content, contents);
  }

  /**
   * Whether all fields are valid. Fields that are hidden, because a saved entry is picked, do not
   * count.
   */
  get isComplete() {
    return this.querySelector('.new')?.hidden || isComplete(this.#form);
  }

  /** While the order is being placed its data cannot be changed. */
  set isLocked(isLocked) {
    this.#form.inert = isLocked;
  }

  tell(problem) {
    showProblem(this.#content, problem);
  }

  clearProblem() {
    clearProblem(this.#content);
  }

  /**
   * Radio buttons for the saved entries and for a new one, whose fields show only while it is
   * picked.
   * @param options `{ name, saved, labelOf, picked, newLabel }`; without a saved entry only the
   *   fields show
   */
  showChoices({ name, saved, labelOf, picked, newLabel }, fields) {
    if (saved.length === 0) {
      this.show(html`<input type="hidden" name="picked" value=${NEW}>${fields}`);
      return;
    }
    const scope = `${name}-picked`;
    const onchange = () => {
      this.querySelector('.new').hidden = this.picked !== NEW;
    };
    this.show(html`
      <div class="choices" role="radiogroup" aria-labelledby=${name}>
        ${saved.map(each => choice('picked', labelOf(each), { scope, type: 'radio', value: each.id, checked: picked === each.id, onchange }))}
        ${choice('picked', newLabel, { scope, type: 'radio', value: NEW, checked: picked === NEW, onchange })}
      </div>
      <div class="new" hidden=${picked !== NEW}>${fields}</div>`);
  }
}
