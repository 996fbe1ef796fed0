// What a failed attempt to place an order means. Pure: a problem is a value.

/**
 * Whether the shop has decided about the order: then the next attempt is a new order with a new
 * Idempotency-Key. Without a decision the next attempt repeats the key, so that the order is placed
 * at most once.
 */
export function isDecided({ status, code }) {
  if (status === 0 || status === 502 || status === 504 || code === 'idempotency_in_flight') return false;
  return status < 500 || code === 'order_not_possible';
}

/**
 * Where the customer reads about the problem, and what.
 * @param items the cart's lines, which know the products' names
 * @returns `{ step, problem }`; `step` is `payment`, `address` or `summary`
 */
export function refusalOf(problem, items) {
  const { code, detail, document: { lines = [] } = {} } = problem;
  if (code === 'payment_declined') return { step: 'payment', problem };
  if (code === 'undeliverable') return { step: 'address', problem };
  if (code === 'out_of_stock') {
    const name = id => items.find(({ product_id }) => product_id === id)?.name ?? 'A product';
    const shortages = lines.map(line => `${name(line.product_id)}: ${line.requested} ordered, ${line.available} available.`).join(' ');
    return { step: 'summary', problem: { ...problem, detail: `${detail} ${shortages} Edit the cart and try again.` } };
  }
  if (isDecided(problem)) return { step: 'summary', problem };
  const unknown = `${detail} It is not known whether the order was placed. Place it again: the same order is never placed twice.`;
  return { step: 'summary', problem: { ...problem, detail: unknown } };
}
