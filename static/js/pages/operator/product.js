// One product, to add or to change.

import { html } from '../../html.js';
import { get } from '../../api.js';
import { wholeCatalogue } from '../../parts/operator/catalogue.js';
import { see } from '../../parts/operator/changes.js';
import { operatorOutline, operatorPage } from '../../parts/operator/operator-page.js';
import { productEditor } from '../../parts/operator/product-editor.js';

export const outline = operatorOutline('');

export default operatorPage(async ({ params, state, signal }) => {
  const [seen, categories, pictures] = await Promise.all([
    params.id ? see(params.id, { signal }) : null,
    get('/categories?limit=100', { signal }).then(({ items }) => items, () => []),
    wholeCatalogue({ signal }).then(({ items }) => items.map(({ image }) => image).sort(), () => []),
  ]);
  signal.throwIfAborted();
  const editor = productEditor(seen, { categories, pictures }, state.message);
  const body = html`
    <nav class="crumbs" aria-label="Breadcrumb"><a href="/operator/products">Products</a></nav>
    ${editor}`;
  return { title: editor.pageTitle, body };
});
