// The session's expiry. The tokens are in HttpOnly cookies, which scripts cannot read. localStorage
// holds only the time at which the access token expires, for all windows of the browser.

const EXPIRES_AT = 'galleria.session.expires_at';
const LOCK = 'galleria.session';
/**
 * The token is renewed this long before it expires, so that it does not expire during a request.
 */
const MARGIN_MS = 20_000;

const expiresAt = () => Number(localStorage.getItem(EXPIRES_AT) ?? 0);

export const isSignedIn = () => expiresAt() > 0;
export const isFresh = () => expiresAt() - MARGIN_MS > Date.now();

export function keepSession(seconds) {
  localStorage.setItem(EXPIRES_AT, String(Date.now() + seconds * 1000));
}

export function endSession() {
  localStorage.removeItem(EXPIRES_AT);
  dispatchEvent(new Event('session-ended'));
}

/**
 * Renews the session with the refresh cookie. All callers, in all windows, share one renewal: the
 * API ends a session whose refresh token is used twice.
 * @returns {Promise<boolean>} whether the session continues
 */
export function renewSession() {
  const before = expiresAt();
  const renew = () => (expiresAt() > before ? true : refresh());
  if (navigator.locks) return navigator.locks.request(LOCK, renew);
  return renewal ??= Promise.resolve(renew()).finally(() => {
    renewal = null;
  });
}

let renewal = null;

async function refresh() {
  const response = await fetch('/api/v1/sessions/refresh', { method: 'POST' }).catch(() => null);
  if (response?.ok) {
    keepSession((await response.json()).expires_in);
    return true;
  }
  // The session ends only if the API refuses it; after 429 or 5xx the next renewal may succeed.
  if (response && response.status >= 400 && response.status < 500 && response.status !== 429 && isSignedIn()) endSession();
  return false;
}
