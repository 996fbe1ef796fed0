// What the shop sells: to look up, to change, to take off sale.

import { html, render } from '../../html.js';
import { get, withQuery } from '../../api.js';
import { money, plural } from '../../format.js';
import { whileBusy } from '../../forms.js';
import { announce, empty, problemNotice } from '../../notices.js';
import { ChangedMeanwhile, differences, mayRetire, retireSeen, see } from '../../parts/operator/changes.js';
import { deskOutline, deskPage } from '../../parts/operator/desk.js';
import { picture } from '../../parts/product-card.js';

const PAGE = 24;

export const outline = deskOutline('Products');

export default deskPage(async ({ path, query, signal }) => {
  const { find: q, cursor } = query;
  const { items, next_cursor: next } = await get(withQuery('/products', { q, sort: q ? '' : 'name', cursor, limit: PAGE }), { signal });
  const body = html`
    <div class="heading-row">
      <h1>Products</h1>
      <a class="button primary" href="/operator/products/new">Add a product</a>
    </div>
    <form method="get" action=${path} class="filters-row" role="search" aria-label="Products">
      <label for="product-search">Find a product</label>
      <span class="joined"><input id="product-search" type="search" name="find" value=${q ?? ''} maxlength="100"><button type="submit" id="product-find">Find</button></span>
    </form>
    ${items.length ? html`<ul class="work">${items.map(productRow)}</ul>` : nothing(path, q)}
    <nav class="paging" aria-label="Pages">
      ${cursor && html`<a class="button" href=${withQuery(path, { find: q })}>First page</a>`}
      ${next && html`<a class="button" href=${withQuery(path, { find: q, cursor: next })}>Next page</a>`}
    </nav>`;
  announce(items.length ? `${plural(items.length, 'product')} on this page` : 'Nothing found');
  return { title: 'Products', body };
});

const nothing = (path, q) => (q
  ? empty(`Nothing on sale answers to “${q}”.`, html`<p><a class="button" href=${path}>See all products</a></p>`)
  : empty('There is nothing on sale yet.', html`<p><a class="button" href="/operator/products/new">Add the first product</a></p>`));

function productRow(product) {
  const row = html`<li></li>`.firstElementChild;
  draw(row, product);
  return row;
}

function draw(row, product, said = null) {
  const { id, slug, name, category, price, image, stock, featured } = product;
  render(row, html`
    <div class="work-row">
      <div class="work-thing">
        ${picture(image, 56)}
        <div>
          <a id=${`product-${id}`} href=${`/operator/products/${id}`}>${name}</a>
          <p class="soft">${category}, ${stock.available} to sell${featured && ', on the first page'}</p>
        </div>
      </div>
      <p class="amount">${money(price)}</p>
      <div class="deeds few">
        <a class="button quiet" href=${`/operator/products/${id}`} aria-label=${`Edit: ${name}`}>Edit</a>
        <a class="button quiet" href=${`/products/${slug}`} aria-label=${`In the shop: ${name}`}>In the shop</a>
        <button type="button" class="quiet" id=${`retire-${id}`} aria-label=${`Retire: ${name}`} onclick=${() => retire(row, product)}>Retire</button>
      </div>
    </div>
    ${said}`);
}

async function retire(row, product) {
  if (!await mayRetire(product)) return;
  await whileBusy(row, async () => {
    try {
      const seen = await see(product.id);
      if (seen.body.version !== product.version) throw new ChangedMeanwhile(seen);
      await retireSeen(seen);
      drawRetired(row, product);
    } catch (problem) {
      if (problem instanceof ChangedMeanwhile) drawChanged(row, product, problem.now.body);
      else draw(row, product, problemNotice(problem));
    }
  });
}

function drawRetired(row, { name }) {
  const words = `${name} is retired.`;
  render(row, html`<p class="soft" tabindex="-1">${words}</p>`);
  row.firstElementChild.focus();
  announce(words);
}

function drawChanged(row, before, now) {
  if (now.retired) {
    drawRetired(row, now);
    return;
  }
  draw(row, now, html`
    <div class="notice bad" role="alert">
      <p>Somebody changed it meanwhile, so it was not retired. This is how it is now; retire it again if you still want to.</p>
      ${differences(before, now)}
    </div>`);
}
