// Markup whose values are escaped by construction.
//
//   html`<a href=${path} class="card">${name}</a>`             text and attributes are escaped
//   html`<ul>${all.map(each => html`<li>${each}</li>`)}</ul>`  nodes and arrays of nodes stay nodes
//   html`<button onclick=${() => buy()}>`                      a function becomes a listener
//   html`<input disabled=${isSoldOut}>`                        `false` omits the attribute
//
// Within a tag, write `>` only at its end.

import { LISTENS, markup, PLACE } from './markup.js';

/** @returns {DocumentFragment} */
export function html(strings, ...values) {
  const { source, nodes, listeners } = markup(strings, values);
  const template = document.createElement('template');
  template.innerHTML = source;
  const fragment = template.content;
  insert(fragment, nodes);
  listeners.forEach(({ type, listener }, index) => {
    const element = fragment.querySelector(`[${LISTENS}${index}]`);
    element.removeAttribute(`${LISTENS}${index}`);
    element.addEventListener(type, listener);
  });
  return fragment;
}

function insert(fragment, nodes) {
  const comments = document.createTreeWalker(fragment, NodeFilter.SHOW_COMMENT);
  const places = [];
  while (comments.nextNode()) if (comments.currentNode.data.startsWith(PLACE)) places.push(comments.currentNode);
  for (const place of places) place.replaceWith(nodes[Number(place.data.slice(PLACE.length))]);
}

/**
 * Replaces the content of the element. The focus stays on the element with the same id, if there is
 * one.
 */
export function render(element, ...contents) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : '';
  element.replaceChildren(...contents.filter(content => content !== null && content !== undefined));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
