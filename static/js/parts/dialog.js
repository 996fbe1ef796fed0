// A question that has to be answered first.

import { html } from '../html.js';

/** @returns {Promise<boolean>} whether the answer was yes */
export function confirmed({ title, words, yes, no = 'No, keep it' }) {
  const dialog = html`
    <dialog aria-labelledby="dialog-title">
      <form method="dialog">
        <h2 id="dialog-title">${title}</h2>
        <p>${words}</p>
        <div class="actions">
          <button class="primary" value="yes">${yes}</button>
          <button value="no">${no}</button>
        </div>
      </form>
    </dialog>`.firstElementChild;
  document.body.append(dialog);
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    });
  });
}
