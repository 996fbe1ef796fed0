// A dialog of the desk, with whatever is to be read or filled in.

import { html } from '../../html.js';

let made = 0;

/**
 * Opens over the page until it is closed: by the answer that is given to `close(answer)`, by Escape, or by leaving the page.
 * @param contents `(close) => markup`
 * @returns {Promise<*>} the answer, or null
 */
export function ask({ title, kind = '', signal }, contents) {
  const id = `desk-dialog-${made += 1}`;
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
  signal.addEventListener('abort', leave);
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      signal.removeEventListener('abort', leave);
      dialog.remove();
      resolve(answer);
    });
  });
}
