// The products, to search, to edit and to retire.

import { html } from '../../html.js';
import { get, withQuery } from '../../api.js';
import { plural } from '../../format.js';
import { announce, empty } from '../../notices.js';
import { operatorOutline, operatorPage } from '../../parts/operator/operator-page.js';
import { productRow } from '../../parts/operator/product-row.js';

const PAGE_SIZE = 24;

export const outline = operatorOutline('Products');

export default operatorPage(async ({ path, query, signal }) => {
  const { find: q, cursor } = query;
  const { items, next_cursor: next } = await get(withQuery('/products', { q, sort: q ? '' : 'name', cursor, limit: PAGE_SIZE }), { signal });
  const body = html`
    <div class="heading-row">
      <h1>Products</h1>
      <a class="button primary" href="/operator/products/new">Add a product</a>
    </div>
    <form method="get" action=${path} class="filters-row" role="search" aria-label="Products">
      <label for="product-search">Find a product</label>
      <span class="joined"><input id="product-search" type="search" name="find" value=${q ?? ''} maxlength="100"><button type="submit" id="product-find">Find</button></span>
    </form>
    ${items.length ? html`<ul class="work">${items.map(product => html`<li>${productRow(product)}</li>`)}</ul>` : nothing(path, q)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${withQuery(path, { find: q })}>First page</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { find: q, cursor: next })}>Next page</a>`}
    </nav>`;
  announce(items.length ? `${plural(items.length, 'product')} on this page` : 'No products found');
  return { title: 'Products', body };
});

const nothing = (path, q) => (q
  ? empty(`No products found for “${q}”.`, html`<p><a class="button" href=${path}>See all products</a></p>`)
  : empty('There are no products yet.', html`<p><a class="button" href="/operator/products/new">Add the first product</a></p>`));
