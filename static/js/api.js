// Calls the shop's HTTP API: JSON bodies, problem documents as exceptions, retries, renewal of the
// session.

import { isFresh, isSignedIn, endSession, keepSession, renewSession } from './session.js';

const BASE = '/api/v1';

/** A problem document of the API (RFC 9457), or `status: 0` if the API could not be reached. */
export class Problem extends Error {
  /** @param retryAfter seconds, from the Retry-After field; null without it */
  constructor(status, document = {}, retryAfter = null) {
    super(document.detail ?? `The shop answered with status ${status}.`);
    this.status = status;
    this.code = document.code ?? 'unknown';
    this.detail = this.message;
    /** [{ pointer, reason }]: the invalid fields of the request's body. */
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

/**
 * The resource and its entity tag. A change with this tag as `ifMatch` succeeds only if the
 * resource is unchanged.
 */
export async function getTagged(path, options) {
  const response = await responseTo('GET', path, options);
  return { etag: response.headers.get('ETag'), body: await read(response) };
}

/** Registers, signs in, or uses the set-up link. @returns the user who is signed in then */
export async function openSession(path, body) {
  const { user, expires_in } = await call('POST', path, { body, anonymously: true });
  keepSession(expires_in);
  return user;
}

export async function closeSession() {
  try {
    await remove('/sessions/current');
  } catch (problem) {
    // 401: the session has ended already.
    if (problem.status !== 401) throw problem;
  }
  endSession();
}

/**
 * @param {{body?: object, key?: string, ifMatch?: string, signal?: AbortSignal, anonymously?:
 *   boolean}} options With `key` (an Idempotency-Key) the request is sent again if it is not known
 *   whether it was executed.
 */
export const call = async (method, path, options) => read(await responseTo(method, path, options));

async function responseTo(method, path, options = {}) {
  const isStale = !options.anonymously && isSignedIn() && !isFresh();
  if (isStale) await renewSession();
  const response = await send(method, path, options);
  if (response.status === 401 && !options.anonymously && !isStale && await renewSession()) {
    return send(method, path, options);
  }
  return response;
}

const attemptsOf = (method, key) => (key ? 4 : method === 'GET' ? 2 : 1);

async function send(method, path, { body, key, ifMatch, signal }) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  if (ifMatch) headers['If-Match'] = ifMatch;
  const request = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(BASE + path, request).catch(error => {
      if (error.name === 'AbortError') throw error;
      return null;
    });
    const canRetry = attempt < attemptsOf(method, key);
    if (response && !(canRetry && await isUndecided(response))) return response;
    if (!canRetry) throw unreachable();
    await pause(response ? Math.min(Number(response.headers.get('Retry-After')) || 1, 5) : attempt, signal);
  }
}

export const unreachable = () =>
  new Problem(0, { code: 'unreachable', detail: 'The shop cannot be reached. Check the connection and try again.' });

/**
 * Whether the answer does not say what happened to the request, so that the same request is worth
 * sending again.
 */
async function isUndecided(response) {
  if (response.status !== 409 && response.status !== 503) return response.status === 502 || response.status === 504;
  const { code } = await response.clone().json().catch(() => ({}));
  return code === 'idempotency_in_flight' || (response.status === 503 && code !== 'order_not_possible');
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

async function read(response) {
  const isJson = /[/+]json\b/.test(response.headers.get('Content-Type') ?? '');
  const body = isJson ? await response.json() : null;
  if (!response.ok) throw new Problem(response.status, body ?? {}, Number(response.headers.get('Retry-After')) || null);
  return body;
}

/** The path with its query. Empty values are left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/**
 * The Idempotency-Key of a request that must not be executed twice. The key stays the same for the
 * same body until `settle()`: a retry after a lost answer gets the answer of the first request.
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

  /** Called when the request is decided: the next one gets another key. */
  settle() {
    this.#key = null;
  }
}

// randomUUID exists only over HTTPS and on localhost.
const newKey = () => crypto.randomUUID?.()
  ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
