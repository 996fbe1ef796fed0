// Products by category, search, order and stock. What is chosen stands in the address.

import { html } from '../html.js';
import { get, Problem, withQuery } from '../api.js';
import { announce, empty, problemNotice } from '../notices.js';
import { productCards } from '../parts/product-card.js';

const SORTS = { relevance: 'Best match', name: 'Name', price: 'Price, low to high', '-price': 'Price, high to low', '-created_at': 'Newest' };

export default async function listing({ path, params, query, signal }) {
  const { category } = params;
  const { q, sort, in_stock: inStock, cursor } = query;
  const wanted = { q, category, sort: sort in SORTS ? sort : '', in_stock: inStock && 'true', cursor };
  const [found, categories] = await Promise.all([
    get(withQuery('/products', wanted), { signal }).catch(problem => ({ problem })),
    get('/categories?limit=100', { signal }).then(({ items }) => items, () => []),
  ]);
  signal.throwIfAborted();
  const isBadCursor = found.problem?.code === 'bad_cursor';
  if (found.problem && !isBadCursor) throw found.problem;

  const name = categories.find(({ slug }) => slug === category)?.name ?? category;
  if (name === category && category && categories.length) throw new Problem(404);
  const title = q ? `“${q}”${category ? ` in ${name}` : ''}` : name ?? 'Everything';
  const pageOf = next => withQuery(path, { q, sort, in_stock: inStock, cursor: next });
  const body = html`
    ${category && html`<nav class="crumbs" aria-label="Where you are"><a href="/products">Everything</a></nav>`}
    <h1>${title}</h1>
    <div class="listing">
      <form class="filters" method="get" action=${path} aria-label="Narrow down">
        ${q && html`<input type="hidden" name="q" value=${q}>`}
        <nav aria-label="Departments">
          <ul class="departments">
            ${departments(categories, category, { q, sort, in_stock: inStock })}
          </ul>
        </nav>
        <div class="field">
          <label for="sort">Sort by</label>
          <select id="sort" name="sort" onchange=${applies}>${Object.entries(SORTS).filter(([each]) => q || each !== 'relevance').map(([each, words]) => html`
            <option value=${each} selected=${each === (sort ?? (q ? 'relevance' : 'name'))}>${words}</option>`)}
          </select>
        </div>
        <label class="choice" for="in-stock">
          <input type="checkbox" id="in-stock" name="in_stock" value="true" checked=${Boolean(inStock)} onchange=${applies}>
          <span class="choice-words">In stock only</span>
        </label>
      </form>
      <section aria-label="Products">
        ${isBadCursor && problemNotice(found.problem, html`<a href=${pageOf()}>Begin at the first page</a>`)}
        ${found.items && results(found.items, { q, category, inStock })}
        <nav class="paging" aria-label="Pages">
          ${cursor && html`<a class="button" href=${pageOf()}>First page</a>`}
          ${found.next_cursor && html`<a class="button" href=${pageOf(found.next_cursor)}>Next page</a>`}
        </nav>
      </section>
    </div>`;
  if (found.items) announce(found.items.length ? `${found.items.length} products on this page` : 'Nothing found');
  return { title, body };
}

const applies = event => event.currentTarget.form.requestSubmit();

function departments(categories, current, query) {
  const entry = (path, words, isCurrent) =>
    html`<li><a href=${withQuery(path, query)} aria-current=${isCurrent ? 'page' : null}>${words}</a></li>`;
  return [
    entry('/products', 'Everything', !current),
    ...categories.map(({ slug, name }) => entry(`/categories/${slug}`, name, slug === current)),
  ];
}

function results(items, { q, category, inStock }) {
  if (items.length) return productCards(items);
  const words = q ? `Nothing here answers to “${q}”.` : 'There is nothing here.';
  return empty(words, html`<p>${category || inStock ? html`<a href=${withQuery('/products', { q })}>Look in the whole shop</a>` : html`<a href="/products">See everything</a>`}</p>`);
}
