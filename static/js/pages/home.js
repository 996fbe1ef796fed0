// The home page.

import { html } from '../html.js';
import { plural } from '../format.js';
import { degradedNotice, empty } from '../notices.js';
import { guestOffer } from '../parts/guest-shopper.js';
import { picture, productCards } from '../parts/product-card.js';
import { reload } from '../router.js';
import { shop } from '../shop.js';

const HERO_PICTURES = 3;

export default async function home() {
  const { featured, categories, degraded } = await shop.storefront({ maxAge: 10_000 });
  const body = html`
    <section class="hero">
      <div>
        <h1>Well-made products for home, garden and travel</h1>
        <p class="lead">Kitchenware, tools, toys, bags and more. This is a demonstration shop: you pay with test cards, and nothing is shipped.</p>
        <p><a class="button primary" href="/products">See all products</a></p>
        ${!shop.isSignedIn && guestOffer(() => reload())}
      </div>
      ${heroPictures(featured ?? [])}
    </section>
    ${degradedNotice(degraded.filter(part => part === 'featured' || part === 'categories'))}
    ${categories?.length && html`
      <section aria-labelledby="categories">
        <h2 id="categories">Categories</h2>
        <ul class="categories">${categories.map(({ slug, name, product_count: count }) => html`
          <li><a href=${`/categories/${slug}`}>${name} <span class="soft">${plural(count, 'product')}</span></a></li>`)}
        </ul>
      </section>`}
    ${featured && html`
      <section class="favourites" aria-labelledby="featured">
        <h2 id="featured">Featured products</h2>
        ${featured.length ? productCards(featured, 'h3') : empty('There are no products yet.')}
      </section>`}`;
  return { title: 'Galleria', body };
}

/** One product each of several categories. */
function heroPictures(products) {
  const first = new Map(products.toReversed().map(product => [product.category, product]));
  const shown = products.filter(product => first.get(product.category) === product);
  return html`<ul class="arcade">${shown.slice(0, HERO_PICTURES).map(({ slug, name, image }) => html`
    <li><a href=${`/products/${slug}`} aria-label=${name}>${picture(image, 400, { lazy: false })}</a></li>`)}
  </ul>`;
}
