// As much of a browser as the modules under test touch while they are loaded. Imported before them.

/** Has every property: a function that does nothing and returns the same. */
const nothing = new Proxy(() => nothing, {
  get: (_, name) => (name === Symbol.toPrimitive ? () => '' : nothing),
  set: () => true,
});

export const stored = new Map();
export const events = [];

class Node {}

Object.assign(globalThis, {
  Node,
  HTMLElement: class extends Node {},
  customElements: { define() {} },
  document: nothing,
  location: new URL('https://shop.example/'),
  matchMedia: () => ({ matches: false, addEventListener() {} }),
  addEventListener() {},
  dispatchEvent: event => events.push(event.type),
  localStorage: {
    getItem: key => stored.get(key) ?? null,
    setItem: (key, value) => stored.set(key, value),
    removeItem: key => stored.delete(key),
  },
});

// Newer versions of Node have a navigator of their own.
Object.defineProperty(globalThis, 'navigator', { value: { language: 'en-GB' }, configurable: true });

/**
 * Answers each request with the next of these: `[status, body, headers]`, or an Error.
 * @returns the requests so far
 */
export function answers(...prepared) {
  const requests = [];
  globalThis.fetch = async (path, { method, headers = {}, body } = {}) => {
    requests.push({ method, path, headers, body: body && JSON.parse(body) });
    const next = prepared.shift();
    if (!next) throw new Error(`an unexpected request: ${method} ${path}`);
    if (next instanceof Error) throw next;
    const [status, json, fields] = next;
    if (json === undefined) return new Response(null, { status, headers: fields });
    return new Response(JSON.stringify(json), { status, headers: { 'Content-Type': 'application/json', ...fields } });
  };
  return requests;
}

/** Makes every timer fire at once. @returns the delays in milliseconds that were asked for */
export function withoutWaiting(context) {
  const delays = [];
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (callback, delay) => {
    delays.push(delay);
    return setTimeout(callback, 0);
  };
  context.after(() => {
    globalThis.setTimeout = setTimeout;
  });
  return delays;
}
