// A purchase with a client that was generated from the OpenAPI document. Its types check every
// path, body and answer.
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

const [shop, product] = process.argv.slice(2) as [string, string];
const anonymous = createClient<paths>({ baseUrl: shop });

function told<T>({ data, error }: { data?: T; error?: components['schemas']['Problem'] }): T {
  if (data === undefined) throw new Error(error ? `${error.code}: ${error.detail}` : 'no answer');
  return data;
}

const found = told(await anonymous.GET('/api/v1/products/{id}', { params: { path: { id: product } } }));
const price: number = found.price.amount;

const email = `generated-${Date.now()}@example.com`;
const { access_token: token } = told(
  await anonymous.POST('/api/v1/users', { body: { email, password: 'a long walk at dawn', name: 'Ada Lovelace' } }),
);
const ada = createClient<paths>({ baseUrl: shop, headers: { authorization: `Bearer ${token}` } });

const address = told(
  await ada.POST('/api/v1/users/me/addresses', {
    body: { name: 'Ada Lovelace', line1: '12 St James\'s Square', city: 'Berlin', postal_code: '10115', country: 'DE' },
  }),
);
const method = told(
  await ada.POST('/api/v1/users/me/payment_methods', {
    body: { card: { number: '4242 4242 4242 4242', exp_month: 12, exp_year: 2040, cvc: '123', name: 'Ada Lovelace' } },
  }),
);
const cart = told(
  await ada.PUT('/api/v1/cart/items/{id}', { params: { path: { id: found.id } }, body: { quantity: 2 } }),
);
if (cart.subtotal.amount !== 2 * price) throw new Error(`a cart of ${cart.subtotal.amount}`);

const order = told(
  await ada.POST('/api/v1/orders', {
    params: { header: { 'Idempotency-Key': 'generated' } },
    body: { address_id: address.id, shipping_service: 'standard', payment_method_id: method.id },
  }),
);
const list = told(await ada.GET('/api/v1/orders', { params: { query: { status: 'confirmed', limit: 10 } } }));
if (list.items[0]?.id !== order.id) throw new Error('the order is not in the list');
if (order.payment?.captured.amount !== order.total.amount) throw new Error('it is not paid');

const refused = await anonymous.GET('/api/v1/orders');
if (refused.error?.code !== 'unauthorized') throw new Error('a stranger was let in');

console.log(`bought ${order.id}`);

// Needed for a program without types of Node's own.
declare const process: { argv: string[] };
declare const console: { log(text: string): void };
