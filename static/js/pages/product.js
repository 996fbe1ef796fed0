// One product.

import { html, render } from '../html.js';
import { get, put, withQuery } from '../api.js';
import { money, plural, weight } from '../format.js';
import { announce, notice, problemNotice } from '../notices.js';
import { whileBusy } from '../forms.js';
import { deliveryEstimate } from '../parts/delivery-estimate.js';
import { productOutline } from '../parts/outlines.js';
import { picture, productCards, stockWords } from '../parts/product-card.js';
import { quantityStepper } from '../parts/quantity-stepper.js';
import { shop } from '../shop.js';

/** As many as a line of a cart holds. */
const MOST = 999;

const RELATED = 4;

export const outline = () => productOutline();

export default async function productPage({ params, signal }) {
  const [product, categories] = await Promise.all([
    get(`/products/${encodeURIComponent(params.product)}`, { signal }),
    get('/categories', { signal }).then(({ items }) => items, () => []),
  ]);
  const related = await othersLike(product, signal);
  signal.throwIfAborted();
  // Lines of carts and orders know a product by its id only.
  if (params.product !== product.slug) history.replaceState(history.state, '', `/products/${product.slug}`);
  const category = categories.find(({ slug }) => slug === product.category)?.name ?? product.category;
  const body = html`
    <nav class="crumbs" aria-label="Where you are">
      <a href="/products">Everything</a> <span aria-hidden="true">/</span> <a href=${`/categories/${product.category}`}>${category}</a>
    </nav>
    <article class="product">
      <div class="product-picture">${picture(product.image, 640, { lazy: false })}</div>
      <div class="product-words">
        <h1>${product.name}</h1>
        <p class="price">${money(product.price)}</p>
        ${buying(product)}
        <p class="description">${product.description}</p>
        ${!product.retired && product.stock.available > 0 && deliveryEstimate(product, signal)}
        <dl class="facts">
          <div><dt>Weight</dt><dd>${weight(product.weight_grams)}</dd></div>
          ${product.tags.length > 0 && html`<div><dt>Found under</dt><dd>${product.tags.map(tagLink)}</dd></div>`}
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

/** Others of its department that can be had; none where they cannot be asked for. */
async function othersLike({ id, category }, signal) {
  const query = { category, in_stock: true, limit: RELATED + 1 };
  const { items } = await get(withQuery('/products', query), { signal }).catch(() => ({ items: [] }));
  return items.filter(other => other.id !== id).slice(0, RELATED);
}

const tagLink = (tag, at) => html`${at > 0 && ', '}<a href=${withQuery('/products', { q: tag })}>${tag}</a>`;

function buying(product) {
  const { available } = product.stock;
  if (product.retired) return notice(html`<p>We do not sell this any longer.</p>`);
  if (available === 0) return html`<p class="stock none">Sold out. It may come back.</p>`;
  const pieces = quantityStepper({ id: 'quantity', label: 'Pieces', value: 1, most: Math.min(available, MOST) });
  const outcome = html`<div class="outcome"></div>`.firstElementChild;
  const add = async event => {
    event.preventDefault();
    await whileBusy(event.currentTarget, async () => {
      try {
        const said = await addToCart(product, pieces.value);
        render(outcome, notice(html`<p>${said}</p>`, 'good'));
        const { openCart } = await import('../parts/cart-drawer.js');
        await openCart(said);
      } catch (problem) {
        render(outcome, problemNotice(problem));
      }
    });
  };
  return html`
    <p class=${`stock ${available <= 5 ? 'low' : ''}`}>${stockWords(available)}</p>
    <form class="buy" onsubmit=${add}>
      ${pieces}
      <button class="primary" type="submit">Add to cart</button>
    </form>
    ${outcome}`;
}

/**
 * The cart is told how many of it there are to be, so what is in it already is counted in.
 * @returns words about what became of it
 */
async function addToCart({ id, name, stock }, pieces) {
  const { items } = await get('/cart');
  const before = items.find(({ product_id }) => product_id === id)?.quantity ?? 0;
  const quantity = Math.min(before + pieces, Math.max(stock.available, before), MOST);
  if (quantity === before) {
    return `All ${plural(before, 'piece')} that we have are in your cart.`;
  }
  const cart = await put(`/cart/items/${id}`, { quantity });
  shop.setCart(cart);
  announce(`Added ${name}. Your cart holds ${plural(cart.item_count, 'piece')}, ${money(cart.subtotal)}.`);
  const less = quantity - before < pieces ? ' There are no more of it than that.' : '';
  return `${plural(quantity - before, 'piece')} added.${less}`;
}
