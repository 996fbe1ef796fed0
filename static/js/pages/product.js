// One product.

import { html, render } from '../html.js';
import { get, put, withQuery } from '../api.js';
import { money, plural, weight } from '../format.js';
import { announce, notice, problemNotice } from '../notices.js';
import { whileBusy } from '../forms.js';
import { deliveryEstimate } from '../parts/delivery-estimate.js';
import { productOutline } from '../parts/outlines.js';
import { picture, productCards, stockLabel } from '../parts/product-card.js';
import { quantityStepper } from '../parts/quantity-stepper.js';
import { shop } from '../shop.js';

/** The most items of one product in a cart. */
const MAX_QUANTITY = 999;

const RELATED = 4;

export const outline = () => productOutline();

export default async function productPage({ params, signal }) {
  const [product, categories] = await Promise.all([
    get(`/products/${encodeURIComponent(params.product)}`, { signal }),
    get('/categories', { signal }).then(({ items }) => items, () => []),
  ]);
  const related = await relatedTo(product, signal);
  signal.throwIfAborted();
  // Links from carts and orders contain the product's id; the address shows its slug.
  if (params.product !== product.slug) history.replaceState(history.state, '', `/products/${product.slug}`);
  const category = categories.find(({ slug }) => slug === product.category)?.name ?? product.category;
  const body = html`
    <nav class="crumbs" aria-label="Breadcrumb">
      <a href="/products">All products</a> <span aria-hidden="true">/</span> <a href=${`/categories/${product.category}`}>${category}</a>
    </nav>
    <article class="product">
      <div class="product-picture">${picture(product.image, 640, { lazy: false })}</div>
      <div class="product-words">
        <h1>${product.name}</h1>
        <p class="price">${money(product.price)}</p>
        ${buying(product)}
        <p class="description">${product.description}</p>
        ${!product.retired && product.stock.available > 0 && deliveryEstimate(product)}
        <dl class="facts">
          <div><dt>Weight</dt><dd>${weight(product.weight_grams)}</dd></div>
          ${product.tags.length > 0 && html`<div><dt>Tags</dt><dd>${product.tags.map(tagLink)}</dd></div>`}
        </dl>
      </div>
    </article>
    ${related.length > 0 && html`
      <section class="related" aria-labelledby="related">
        <h2 id="related">More from ${category}</h2>
        ${productCards(related, 'h3')}
      </section>`}`;
  return { title: product.name, body };
}

/** Other products of the same category that are in stock; none if they cannot be loaded. */
async function relatedTo({ id, category }, signal) {
  const query = { category, in_stock: true, limit: RELATED + 1 };
  const { items } = await get(withQuery('/products', query), { signal }).catch(() => ({ items: [] }));
  return items.filter(other => other.id !== id).slice(0, RELATED);
}

const tagLink = (tag, at) => html`${at > 0 && ', '}<a href=${withQuery('/products', { q: tag })}>${tag}</a>`;

function buying(product) {
  const { available } = product.stock;
  if (product.retired) return notice(html`<p>This product is no longer available.</p>`);
  if (available === 0) return html`<p class="stock none">Sold out.</p>`;
  const quantity = quantityStepper({ id: 'quantity', label: 'Quantity', value: 1, most: Math.min(available, MAX_QUANTITY) });
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const add = async event => {
    event.preventDefault();
    await whileBusy(event.currentTarget, async () => {
      try {
        const message = await addToCart(product, quantity.value);
        render(outcome, notice(html`<p>${message}</p>`, 'good'));
        const { openCart } = await import('../parts/cart/cart-drawer.js');
        await openCart(message);
      } catch (problem) {
        render(outcome, problemNotice(problem));
      }
    });
  };
  return html`
    <p class=${`stock ${available <= 5 ? 'low' : ''}`}>${stockLabel(available)}</p>
    <form class="buy" onsubmit=${add}>
      ${quantity}
      <button class="primary" type="submit">Add to cart</button>
    </form>
    ${outcome}`;
}

/**
 * The API sets a quantity, so the quantity that is in the cart already is added first.
 * @returns a sentence about the result
 */
async function addToCart({ id, name, stock }, added) {
  const { items } = await get('/cart');
  const before = items.find(({ product_id }) => product_id === id)?.quantity ?? 0;
  const quantity = Math.min(before + added, Math.max(stock.available, before), MAX_QUANTITY);
  if (quantity === before) {
    return `All ${plural(before, 'item')} in stock are already in your cart.`;
  }
  const cart = await put(`/cart/items/${id}`, { quantity });
  shop.setCart(cart);
  announce(`Added ${name}. Your cart: ${plural(cart.item_count, 'item')}, ${money(cart.subtotal)}.`);
  const less = quantity - before < added ? ' There are no more in stock.' : '';
  return `${plural(quantity - before, 'item')} added.${less}`;
}
