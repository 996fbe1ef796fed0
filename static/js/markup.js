// The text of an `html` template: values become escaped text, and everything else becomes a marked
// place. Pure.
//
// The template itself is the only text that is read as markup. A value can never add an element, an
// attribute or a script.

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = value => String(value).replace(/[&<>"']/g, character => ESCAPES[character]);

/**
 * Attributes that contain a URL. Allowed are paths of this site, fragments, http(s) URLs and images
 * as data.
 */
const IS_URL = /^(?:href|src|action)$/;
const SAFE_URL = /^(?:[/#?]|https?:|data:image\/)/i;

/** A comment with this text and a number marks the place of a node. */
export const PLACE = 'place:';
/** An attribute with this name and a number marks the element of an event listener. */
export const LISTENS = 'data-listens-';

/**
 * @param strings the parts of the template between its values
 * @returns `{ source, nodes, listeners }`: the markup, and by the numbers in it the nodes and the
 *   `{ type, listener }`
 * @throws {TypeError} where a value stands in a tag but not as an attribute's value
 */
export function markup(strings, values) {
  const nodes = [];
  const listeners = [];
  let source = strings[0];
  values.forEach((value, index) => {
    const inTag = source.lastIndexOf('<') > source.lastIndexOf('>');
    source = inTag ? withAttribute(source, value, listeners) : source + content(value, nodes);
    source += strings[index + 1];
  });
  return { source, nodes, listeners };
}

function withAttribute(source, value, listeners) {
  const [whole, name, quoted] = source.match(/\s([\w-]+)=("[^"]*)?$/) ?? [];
  if (quoted !== undefined) return source + (quoted === '"' ? attribute(name, value ?? '') : escape(value ?? ''));
  if (!name) throw new TypeError(`A value in a tag must be an attribute's: ${source.slice(-40)}`);
  const before = source.slice(0, source.length - whole.length);
  if (typeof value === 'function') {
    return `${before} ${LISTENS}${listeners.push({ type: name.slice(2), listener: value }) - 1}`;
  }
  if (value === true) return `${before} ${name}`;
  if (value === false || value === null || value === undefined) return before;
  return `${before} ${name}="${attribute(name, value)}"`;
}

function attribute(name, value) {
  return IS_URL.test(name) && !SAFE_URL.test(value) ? '#' : escape(value);
}

function content(value, nodes) {
  if (Array.isArray(value)) return value.map(each => content(each, nodes)).join('');
  if (value instanceof Node) return `<!--${PLACE}${nodes.push(value) - 1}-->`;
  return value === null || value === undefined || typeof value === 'boolean' ? '' : escape(value);
}
