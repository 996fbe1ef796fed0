// Modal dialogs that give an answer.

import { html } from '../html.js';

let opened = 0;

/**
 * Opens a dialog. It closes by `close(answer)`, by Escape, or when the page is left.
 * @param options `{ title, kind, signal }`; `kind` is its class, `signal` is aborted when the page
 *   is left
 * @param contents `(close) => markup`
 * @returns {Promise<*>} the answer; null without one
 */
export function ask({ title, kind = '', signal }, contents) {
  const id = `dialog-${opened += 1}`;
  let answer = null;
  const close = given => {
    answer = given ?? null;
    dialog.close();
  };
  const dialog = html`
    <dialog class=${kind} aria-labelledby=${id}>
      <h2 id=${id}>${title}</h2>
      ${contents(close)}
    </dialog>`.firstElementChild;
  document.body.append(dialog);
  dialog.showModal();
  const leave = () => close();
  signal?.addEventListener('abort', leave);
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      signal?.removeEventListener('abort', leave);
      dialog.remove();
      resolve(answer);
    });
  });
}

/** @returns {Promise<boolean>} whether the answer was yes */
export async function confirmed({ title, text, yes, no = 'No, keep it' }) {
  const answer = await ask({ title }, close => html`
    <p>${text}</p>
    <div class="actions">
      <button type="button" class="primary" onclick=${() => close(true)}>${yes}</button>
      <button type="button" onclick=${() => close(false)}>${no}</button>
    </div>`);
  return answer === true;
}
