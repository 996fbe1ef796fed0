// <product-editor>: the form of a product, new or existing, with a preview. Never overwrites
// another operator's change unasked.

import { html, render } from '../../html.js';
import { Attempt, patch, post } from '../../api.js';
import { submits, whileBusy } from '../../forms.js';
import { announce, notice, problemNotice } from '../../notices.js';
import { navigate } from '../../router.js';
import { changesTo, changeSeen, ChangedMeanwhile, differences, mayRetire, retireSeen, see } from './changes.js';
import { check, listingOf, productFields } from './product-form.js';
import { productPreview } from './product-preview.js';

class ProductEditor extends HTMLElement {
  /** The product as it was read last, with its ETag; `null` for a new product. */
  #seen;
  #options;
  #form;
  #heading = document.createElement('h1');
  #content = document.createElement('div');
  #outcome = html`<div class="outcome"></div>`.firstElementChild;
  #attempt = new Attempt();

  /** @param options `{ categories, pictures }` to choose from */
  static of(seen, options, message) {
    const editor = document.createElement('product-editor');
    editor.#seen = seen;
    editor.#options = options;
    editor.append(editor.#heading, editor.#content);
    editor.#draw();
    if (message) render(editor.#outcome, notice(html`<p>${message}</p>`, 'good'));
    return editor;
  }

  get pageTitle() {
    return this.#heading.textContent;
  }

  #draw() {
    const product = this.#seen?.body ?? null;
    this.#heading.textContent = product?.name ?? 'Add a product';
    if (product?.retired) {
      render(this.#content, notice(html`<p>This product is retired: customers cannot buy it any more. Existing orders keep it.</p>`));
      return;
    }
    const preview = productPreview(product?.stock);
    this.#form = html`
      <form novalidate onsubmit=${submits(() => (product ? this.#save() : this.#create()))}>
        ${productFields({ ...this.#options, product })}
        <div class="actions">
          <button class="primary" type="submit" id="save">${product ? 'Save' : 'Add the product'}</button>
          ${product && html`
            <a class="button" href=${`/products/${product.slug}`}>Show in the shop</a>
            <button type="button" id="retire" onclick=${() => this.#retire()}>Retire</button>`}
        </div>
        ${this.#outcome}
      </form>`.firstElementChild;
    this.#form.addEventListener('input', () => preview.show(listingOf(this.#form)));
    render(this.#content, html`
      <div class="editor">
        ${this.#form}
        <section aria-labelledby="preview">
          <h2 id="preview">Preview</h2>
          ${preview}
        </section>
      </div>`);
    preview.show(listingOf(this.#form));
  }

  async #create() {
    const listing = listingOf(this.#form);
    check(listing);
    const product = await sent(post('/products', listing, { key: this.#attempt.keyFor(listing) }));
    this.#attempt.settle();
    await navigate(`/operator/products/${product.id}`, { state: { message: 'The product is in the shop.' }, replace: true });
  }

  async #save() {
    render(this.#outcome);
    const listing = listingOf(this.#form);
    check(listing);
    const { category_name: _, ...wanted } = listing;
    const changes = changesTo(this.#seen.body, wanted);
    if (!Object.keys(changes).length) {
      this.#tell('Nothing has changed.');
      return;
    }
    try {
      const body = await sent(changeSeen(this.#seen, (path, ifMatch) => patch(path, changes, { ifMatch })));
      this.#seen = await see(body.id).catch(() => ({ ...this.#seen, body }));
      this.#draw();
      this.#tell('Saved.', 'good');
    } catch (problem) {
      if (!(problem instanceof ChangedMeanwhile)) throw problem;
      this.#tellChanged(problem.now);
    }
  }

  #tell(text, kind = '') {
    render(this.#outcome, notice(html`<p>${text}</p>`, kind));
    announce(text);
  }

  /** Shows what another operator changed, and lets this one choose between both versions. */
  #tellChanged(now) {
    const load = () => {
      this.#seen = now;
      render(this.#outcome);
      this.#draw();
      (now.body.retired ? this.#heading : this.#form.querySelector('[name=name]')).focus();
      announce('The other version is loaded.');
    };
    const overwrite = () => {
      this.#seen = now;
      this.#form.querySelector('#save').focus();
      this.#form.requestSubmit();
    };
    render(this.#outcome, html`
      <div class="notice bad" role="alert" tabindex="-1">
        <p><strong>The product was changed in the meantime.</strong> Your changes are not saved.</p>
        ${differences(this.#seen.body, now.body)}
        <div class="actions">
          <button type="button" onclick=${load}>Discard my changes</button>
          ${!now.body.retired && html`<button type="button" onclick=${overwrite}>Save my changes</button>`}
        </div>
      </div>`);
    this.#outcome.firstElementChild.focus();
  }

  async #retire() {
    const product = this.#seen.body;
    if (!await mayRetire(product)) return;
    await whileBusy(this.#form, async () => {
      try {
        await retireSeen(this.#seen);
        announce(`${product.name} is retired.`);
        await navigate('/operator/products');
      } catch (problem) {
        if (problem instanceof ChangedMeanwhile) this.#tellChanged(problem.now);
        else render(this.#outcome, problemNotice(problem));
      }
    });
  }
}

/** Shows the problem “slug_taken” at the field of the address. */
const sent = answer => answer.catch(problem => {
  throw problem.code === 'slug_taken' ? { errors: [{ pointer: '/slug', reason: 'Another product has this address' }] } : problem;
});

customElements.define('product-editor', ProductEditor);
export const productEditor = ProductEditor.of;
