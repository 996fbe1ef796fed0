// The pieces of one product: how many can be sold, and when somebody wants to know or to change it, how many there are.

import { html, render } from '../../html.js';
import { put } from '../../api.js';
import { plural } from '../../format.js';
import { field, submits } from '../../forms.js';
import { announce, problemNotice } from '../../notices.js';
import { picture, stockWords } from '../product-card.js';
import { stockKind } from './catalogue.js';

const MOST = 1_000_000;

export function stockRow({ id, name, image, stock }) {
  const row = html`<li></li>`.firstElementChild;
  const level = html`<p></p>`.firstElementChild;
  const content = html`<div></div>`.firstElementChild;
  const more = html`
    <details>
      <summary id=${`stock-${id}`} aria-label=${`On hand and reserved: ${name}`}>On hand and reserved</summary>
      ${content}
    </details>`.firstElementChild;
  const product = { id, name, level, content };
  more.addEventListener('toggle', () => more.open && count(product));
  drawLevel(level, stock);
  row.append(html`
    <div class="work-row">
      <div class="work-thing">
        ${picture(image, 56)}
        <div><a href=${`/operator/products/${id}`}>${name}</a>${level}</div>
      </div>
      ${more}
    </div>`);
  return row;
}

function drawLevel(level, { available }) {
  level.className = `stock ${stockKind(available)}`;
  level.textContent = available > 0 ? `${available} to sell` : stockWords(0);
}

const change = (id, body) => put(`/products/${id}/stock`, body);

/** The shop tells what is on hand and reserved only in answer to a change: one by nothing asks it. */
async function count(product) {
  const { id, name, content } = product;
  render(content, html`<p class="soft">Counting…</p>`);
  try {
    draw(product, await change(id, { adjust_by: 0 }));
  } catch (problem) {
    const again = html`<button type="button" aria-label=${`Try again: ${name}`} onclick=${() => count(product)}>Try again</button>`;
    render(content, problemNotice(problem, again));
  }
}

function draw(product, { on_hand: onHand, reserved, available }) {
  const { id, level, content } = product;
  const scope = `stock-${id}`;
  drawLevel(level, { available });
  const form = (name, words, verb, attributes, body) => html`
    <form novalidate onsubmit=${submits(values => set(product, `${verb}-${id}`, body(Number(values[name]))))}>
      ${field(name, words, { scope, type: 'number', required: true, step: 1, inputmode: 'numeric', autocomplete: 'off', ...attributes })}
      <button type="submit" id=${`${verb}-${id}`}>${verb}</button>
    </form>`;
  render(content, html`
    <dl class="counts">
      <div><dt>On hand</dt><dd>${onHand}</dd></div>
      <div><dt>Reserved</dt><dd>${reserved}</dd></div>
      <div><dt>To sell</dt><dd>${available}</dd></div>
    </dl>
    <div class="stock-forms">
      ${form('on_hand', 'Counted', 'Set', { min: 0, max: MOST, value: onHand }, pieces => ({ on_hand: pieces }))}
      ${form('adjust_by', 'Came or went', 'Adjust', { min: -MOST, max: MOST, placeholder: '±' }, pieces => ({ adjust_by: pieces }))}
    </div>`);
}

async function set(product, button, body) {
  try {
    const now = await change(product.id, body);
    draw(product, now);
    document.getElementById(button)?.focus();
    announce(`${product.name}: ${plural(now.on_hand, 'piece')} on hand, ${now.available} to sell.`);
  } catch (problem) {
    if (problem.code !== 'below_reserved') throw problem;
    const reason = `${plural(problem.document.reserved, 'piece')} of it are promised to orders, so there cannot be fewer on hand`;
    throw { errors: [{ pointer: `/${Object.keys(body)[0]}`, reason }] };
  }
}
