// How long the browser's session is good for. The tokens themselves are in cookies that scripts cannot read; what is
// remembered here is only that there are some, and when the short-lived one runs out.

const EXPIRES_AT = 'galleria.session.expires_at';
const LOCK = 'galleria.session';
/** Renewed this long before it runs out, so that no request sets out with a token that dies on the way. */
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
 * Trades the refresh cookie for fresh ones. Once for all who ask at the same time, in all windows: a refresh token that
 * is used twice ends its session.
 * @returns {Promise<boolean>} whether the session goes on
 */
export function renewSession() {
  const seen = expiresAt();
  const renew = () => (expiresAt() > seen ? true : trade());
  if (navigator.locks) return navigator.locks.request(LOCK, renew);
  return underWay ??= Promise.resolve(renew()).finally(() => {
    underWay = null;
  });
}

let underWay = null;

async function trade() {
  const answer = await fetch('/api/v1/sessions/refresh', { method: 'POST' }).catch(() => null);
  if (answer?.ok) {
    keepSession((await answer.json()).expires_in);
    return true;
  }
  // Only a clear no ends the session; a shop that is away or busy may say yes the next time.
  if (answer && answer.status >= 400 && answer.status < 500 && answer.status !== 429 && isSignedIn()) endSession();
  return false;
}
