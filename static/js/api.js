// The shop's HTTP interface: JSON there and back, problem documents as errors, sessions kept fresh.

import { isFresh, isSignedIn, endSession, keepSession, renewSession } from './session.js';

const BASE = '/api/v1';

/** What the shop said against a request (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  /** @param retryAfter seconds until it is worth trying again, where the shop knows */
  constructor(status, document = {}, retryAfter = null) {
    super(document.detail ?? `The shop answered with ${status}.`);
    this.status = status;
    this.code = document.code ?? 'unknown';
    this.detail = this.message;
    /** [{ pointer, reason }]: which fields of the body, and why. */
    this.errors = document.errors ?? [];
    this.traceId = document.trace_id ?? null;
    this.retryAfter = retryAfter;
    this.document = document;
  }
}

export const get = (path, options) => call('GET', path, options);
export const post = (path, body, options) => call('POST', path, { ...options, body });
export const put = (path, body, options) => call('PUT', path, { ...options, body });
export const patch = (path, body, options) => call('PATCH', path, { ...options, body });
export const remove = (path, options) => call('DELETE', path, options);

/** What is there, and the tag of just this version of it: a change with it as `ifMatch` is made to no other version. */
export async function getTagged(path, options) {
  const answer = await answerTo('GET', path, options);
  return { etag: answer.headers.get('ETag'), body: await read(answer) };
}

/** Registers, signs in or redeems the set-up link: answers with who is signed in from now on. */
export async function openSession(path, body) {
  const { user, expires_in } = await call('POST', path, { body, anonymously: true });
  keepSession(expires_in);
  return user;
}

export async function closeSession() {
  try {
    await remove('/sessions/current');
  } catch (problem) {
    // One that has ended already is as good as one that ends now.
    if (problem.status !== 401) throw problem;
  }
  endSession();
}

/**
 * @param {{body?: object, key?: string, ifMatch?: string, signal?: AbortSignal, anonymously?: boolean}} options
 *   With `key` (an Idempotency-Key) the request is sent again where nobody knows whether it was carried out.
 */
export const call = async (method, path, options) => read(await answerTo(method, path, options));

async function answerTo(method, path, options = {}) {
  const isStale = !options.anonymously && isSignedIn() && !isFresh();
  if (isStale) await renewSession();
  const answer = await send(method, path, options);
  if (answer.status === 401 && !options.anonymously && !isStale && await renewSession()) {
    return send(method, path, options);
  }
  return answer;
}

const attemptsOf = (method, key) => (key ? 4 : method === 'GET' ? 2 : 1);

async function send(method, path, { body, key, ifMatch, signal }) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  if (ifMatch) headers['If-Match'] = ifMatch;
  const request = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(BASE + path, request).catch(error => {
      if (error.name === 'AbortError') throw error;
      return null;
    });
    const mayAskAgain = attempt < attemptsOf(method, key);
    if (answer && !(mayAskAgain && await isUndecided(answer))) return answer;
    if (!mayAskAgain) throw unreachable();
    await pause(answer ? Math.min(Number(answer.headers.get('Retry-After')) || 1, 5) : attempt, signal);
  }
}

export const unreachable = () =>
  new Problem(0, { code: 'unreachable', detail: 'The shop cannot be reached. Check the connection and try again.' });

/** Whether the same request, sent again, may find out what became of it. */
async function isUndecided(answer) {
  if (answer.status !== 409 && answer.status !== 503) return answer.status === 502 || answer.status === 504;
  const { code } = await answer.clone().json().catch(() => ({}));
  return code === 'idempotency_in_flight' || (answer.status === 503 && code !== 'order_not_possible');
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

async function read(answer) {
  const isJson = /[/+]json\b/.test(answer.headers.get('Content-Type') ?? '');
  const body = isJson ? await answer.json() : null;
  if (!answer.ok) throw new Problem(answer.status, body ?? {}, Number(answer.headers.get('Retry-After')) || null);
  return body;
}

/** A list's path with its query; what is empty is left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/**
 * The key of one attempt at something that must not happen twice: the same for the same body until it is settled, so
 * that trying again after a lost answer finds the first one.
 */
export class Attempt {
  #key = null;
  #body = null;

  keyFor(body) {
    const text = JSON.stringify(body);
    if (text !== this.#body) this.#key = null;
    this.#body = text;
    return this.#key ??= newKey();
  }

  /** An answer came: the next attempt is another one. */
  settle() {
    this.#key = null;
  }
}

// randomUUID exists only where the page came over TLS or from this machine.
const newKey = () => crypto.randomUUID?.()
  ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
