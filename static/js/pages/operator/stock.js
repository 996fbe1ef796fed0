// The stock of all products, the lowest first.

import { html } from '../../html.js';
import { withQuery } from '../../api.js';
import { plural } from '../../format.js';
import { announce, empty, notice } from '../../notices.js';
import { LOW, scarceFirst, wholeCatalogue } from '../../parts/operator/catalogue.js';
import { operatorOutline, operatorPage } from '../../parts/operator/operator-page.js';
import { stockRow } from '../../parts/operator/stock-row.js';

const PAGE_SIZE = 24;

export const outline = operatorOutline('Stock');

export default operatorPage(async ({ path, query, signal }) => {
  const { find: q, low } = query;
  const { items, isAll } = await wholeCatalogue({ q, signal });
  const products = scarceFirst(items.filter(({ stock }) => !low || stock.available <= LOW));
  const pages = Math.max(Math.ceil(products.length / PAGE_SIZE), 1);
  const page = Math.min(Math.max(Math.trunc(Number(query.page)) || 1, 1), pages);
  const shown = products.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  const pageAt = at => withQuery(path, { find: q, low, page: at > 1 ? at : null });
  const body = html`
    <h1>Stock</h1>
    <form method="get" action=${path} class="filters-row" role="search" aria-label="Stock">
      <label for="stock-search">Find a product</label>
      <span class="joined"><input id="stock-search" type="search" name="find" value=${q ?? ''} maxlength="100"><button type="submit" id="stock-find">Find</button></span>
      <label class="choice" for="stock-low">
        <input type="checkbox" id="stock-low" name="low" value="true" checked=${Boolean(low)} onchange=${event => event.currentTarget.form.requestSubmit()}>
        <span class="choice-words">Low stock only</span>
      </label>
    </form>
    ${!isAll && notice(html`<p>This list does not contain all products. Search to find the others.</p>`)}
    ${shown.length ? html`<ul class="work">${shown.map(product => html`<li>${stockRow(product)}</li>`)}</ul>` : nothing(path, q, low)}
    ${pages > 1 && html`
      <nav class="paging" aria-label="Pages">
        ${page > 1 && html`<a class="button" href=${pageAt(page - 1)}>Previous page</a>`}
        <p class="soft">Page ${page} of ${pages}</p>
        ${page < pages && html`<a class="button" href=${pageAt(page + 1)}>Next page</a>`}
      </nav>`}`;
  announce(products.length ? `${plural(products.length, 'product')}, page ${page} of ${pages}` : 'No products found');
  return { title: 'Stock', body };
});

function nothing(path, q, low) {
  if (low) {
    const text = `No low stock: every product${q ? ' found' : ''} has more than ${LOW} items.`;
    return empty(text, html`<p><a class="button" href=${withQuery(path, { find: q })}>See all stock</a></p>`);
  }
  if (q) return empty(`No products found for “${q}”.`, html`<p><a class="button" href=${path}>See all products</a></p>`);
  return empty('There are no products yet.', html`<p><a class="button" href="/operator/products/new">Add the first product</a></p>`);
}
