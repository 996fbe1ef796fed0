// The first page.

import { html } from '../html.js';
import { plural } from '../format.js';
import { degradedNotice, empty } from '../notices.js';
import { guestOffer } from '../parts/guest-shopper.js';
import { picture, productCards } from '../parts/product-card.js';
import { reload } from '../router.js';
import { shop } from '../shop.js';

const IN_THE_ARCADE = 3;

export default async function home() {
  const { featured, categories, degraded } = await shop.storefront({ maxAge: 10_000 });
  const body = html`
    <section class="hero">
      <div>
        <h1>Well made things, under one roof</h1>
        <p class="lead">For the kitchen, the garden and the road: things that are good to hold and better with age.</p>
        <p><a class="button primary" href="/products">Look around</a></p>
        ${!shop.isSignedIn && guestOffer(() => reload())}
      </div>
      ${arcade(featured ?? [])}
    </section>
    ${degradedNotice(degraded.filter(part => part === 'featured' || part === 'categories'))}
    ${categories?.length && html`
      <section aria-labelledby="categories">
        <h2 id="categories">Departments</h2>
        <ul class="categories">${categories.map(({ slug, name, product_count: count }) => html`
          <li><a href=${`/categories/${slug}`}>${name} <span class="soft">${plural(count, 'thing')}</span></a></li>`)}
        </ul>
      </section>`}
    ${featured && html`
      <section class="favourites" aria-labelledby="featured">
        <h2 id="featured">Our favourites</h2>
        ${featured.length ? productCards(featured, 'h3') : empty('Nothing is on the shelves yet.')}
      </section>`}`;
  return { title: 'Galleria', body };
}

/** One thing each of several departments. */
function arcade(products) {
  const first = new Map(products.toReversed().map(product => [product.category, product]));
  const shown = products.filter(product => first.get(product.category) === product);
  return html`<ul class="arcade">${shown.slice(0, IN_THE_ARCADE).map(({ slug, name, image }) => html`
    <li><a href=${`/products/${slug}`} aria-label=${name}>${picture(image, 400, { lazy: false })}</a></li>`)}
  </ul>`;
}
