// Markup whose interpolated values are escaped by construction.
//
//   html`<a href=${path} class="card">${name}</a>`            text and attributes are escaped
//   html`<ul>${lines.map(line => html`<li>${line}</li>`)}</ul>`  nodes and lists of them go in as they are
//   html`<button onclick=${() => buy()} disabled=${soldOut}>`  functions become listeners, booleans come or go
//
// Only what stands in the template itself is ever read as markup. Inside a tag, write `>` nowhere but at its end.

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = value => String(value).replace(/[&<>"']/g, character => ESCAPES[character]);

/** Attributes that lead somewhere: paths of this site, fragments and web addresses only. */
const LEADS = /^(?:href|src|action)$/;
const SAFE_TARGET = /^(?:[/#?]|https?:|data:image\/)/i;

const HOLE = 'hole:';

/** @returns {DocumentFragment} */
export function html(strings, ...values) {
  const nodes = [];
  const listeners = [];
  let source = strings[0];
  values.forEach((value, index) => {
    const inTag = source.lastIndexOf('<') > source.lastIndexOf('>');
    source = inTag ? withAttribute(source, value, listeners) : source + content(value, nodes);
    source += strings[index + 1];
  });
  const template = document.createElement('template');
  template.innerHTML = source;
  const fragment = template.content;
  fill(fragment, nodes);
  listeners.forEach(({ type, listener }, index) => {
    const element = fragment.querySelector(`[data-listens-${index}]`);
    element.removeAttribute(`data-listens-${index}`);
    element.addEventListener(type, listener);
  });
  return fragment;
}

function withAttribute(source, value, listeners) {
  const [whole, name, quoted] = source.match(/\s([\w-]+)=("[^"]*)?$/) ?? [];
  if (quoted !== undefined) return source + (quoted === '"' ? attribute(name, value ?? '') : escape(value ?? ''));
  if (!name) throw new TypeError(`A value in a tag must be an attribute's: ${source.slice(-40)}`);
  const before = source.slice(0, source.length - whole.length);
  if (typeof value === 'function') {
    return `${before} data-listens-${listeners.push({ type: name.slice(2), listener: value }) - 1}`;
  }
  if (value === true) return `${before} ${name}`;
  if (value === false || value === null || value === undefined) return before;
  return `${before} ${name}="${attribute(name, value)}"`;
}

function attribute(name, value) {
  return LEADS.test(name) && !SAFE_TARGET.test(value) ? '#' : escape(value);
}

function content(value, nodes) {
  if (Array.isArray(value)) return value.map(each => content(each, nodes)).join('');
  if (value instanceof Node) return `<!--${HOLE}${nodes.push(value) - 1}-->`;
  return value === null || value === undefined || typeof value === 'boolean' ? '' : escape(value);
}

function fill(fragment, nodes) {
  const comments = document.createTreeWalker(fragment, NodeFilter.SHOW_COMMENT);
  const holes = [];
  while (comments.nextNode()) if (comments.currentNode.data.startsWith(HOLE)) holes.push(comments.currentNode);
  for (const hole of holes) hole.replaceWith(nodes[Number(hole.data.slice(HOLE.length))]);
}

/** Replaces what is in the element. Whatever had the focus has it again, if it is there again under its id. */
export function render(element, ...contents) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : '';
  element.replaceChildren(...contents.filter(content => content !== null && content !== undefined));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
