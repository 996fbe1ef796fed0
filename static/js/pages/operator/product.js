// One product, to add or to change, with a sight of what customers will see.

import { html, render } from '../../html.js';
import { Attempt, get, patch, post } from '../../api.js';
import { submits, whileBusy } from '../../forms.js';
import { announce, notice, problemNotice } from '../../notices.js';
import { wholeCatalogue } from '../../parts/operator/catalogue.js';
import { changesTo, changeSeen, ChangedMeanwhile, differences, mayRetire, retireSeen, see } from '../../parts/operator/changes.js';
import { deskOutline, deskPage } from '../../parts/operator/desk.js';
import { check, listingOf, productFields } from '../../parts/operator/product-form.js';
import { productPreview } from '../../parts/operator/product-preview.js';
import { navigate } from '../../router.js';

export const outline = deskOutline('');

export default deskPage(async ({ params, state, signal }) => {
  const [seen, categories, pictures] = await Promise.all([
    params.id ? see(params.id, { signal }) : null,
    get('/categories?limit=100', { signal }).then(({ items }) => items, () => []),
    wholeCatalogue({ signal }).then(({ items }) => items.map(({ image }) => image).sort(), () => []),
  ]);
  signal.throwIfAborted();
  const page = { seen, categories, pictures, heading: place('h1'), content: place('div'), outcome: place('div', 'outcome'), attempt: new Attempt() };
  draw(page);
  if (state.said) render(page.outcome, notice(html`<p>${state.said}</p>`, 'good'));
  const body = html`
    <nav class="crumbs" aria-label="Where you are"><a href="/operator/products">Products</a></nav>
    ${page.heading}
    ${page.content}`;
  return { title: page.heading.textContent, body };
});

const place = (kind, name = '') => Object.assign(document.createElement(kind), { className: name });

function draw(page) {
  const product = page.seen?.body ?? null;
  page.heading.textContent = product?.name ?? 'Add a product';
  if (product?.retired) {
    render(page.content, notice(html`<p>It is retired: customers can buy it no longer. Orders keep what they bought.</p>`));
    return;
  }
  const preview = productPreview(product?.stock);
  const form = html`
    <form novalidate onsubmit=${submits((_, sent) => (product ? save(page, sent) : create(page, sent)))}>
      ${productFields({ ...page, product })}
      <div class="actions">
        <button class="primary" type="submit" id="save">${product ? 'Save' : 'Add it'}</button>
        ${product && html`
          <a class="button" href=${`/products/${product.slug}`}>See it in the shop</a>
          <button type="button" id="retire" onclick=${() => retire(page)}>Retire it</button>`}
      </div>
      ${page.outcome}
    </form>`.firstElementChild;
  form.addEventListener('input', () => preview.show(listingOf(form)));
  page.form = form;
  render(page.content, html`
    <div class="editor">
      ${form}
      <section aria-labelledby="preview">
        <h2 id="preview">As customers see it</h2>
        ${preview}
      </section>
    </div>`);
  preview.show(listingOf(form));
}

async function create(page, form) {
  const listing = listingOf(form);
  check(listing);
  const product = await sent(post('/products', listing, { key: page.attempt.keyFor(listing) }));
  page.attempt.settle();
  await navigate(`/operator/products/${product.id}`, { state: { said: 'It is in the shop.' }, replace: true });
}

async function save(page, form) {
  render(page.outcome);
  const listing = listingOf(form);
  check(listing);
  const { category_name: _, ...wanted } = listing;
  const changes = changesTo(page.seen.body, wanted);
  if (!Object.keys(changes).length) {
    say(page, 'There is nothing to save: it is like this already.');
    return;
  }
  try {
    const body = await sent(changeSeen(page.seen, (path, ifMatch) => patch(path, changes, { ifMatch })));
    page.seen = await see(body.id).catch(() => ({ ...page.seen, body }));
    draw(page);
    say(page, 'Saved.', 'good');
  } catch (problem) {
    if (!(problem instanceof ChangedMeanwhile)) throw problem;
    tellChanged(page, problem.now);
  }
}

/** That the address is taken is said at its field. */
const sent = answer => answer.catch(problem => {
  throw problem.code === 'slug_taken' ? { errors: [{ pointer: '/slug', reason: 'Another product has this address' }] } : problem;
});

function say({ outcome }, words, kind = '') {
  render(outcome, notice(html`<p>${words}</p>`, kind));
  announce(words);
}

/** What somebody else made of it, and the choice between that and what stands in the form. */
function tellChanged(page, now) {
  const load = () => {
    page.seen = now;
    render(page.outcome);
    draw(page);
    (now.body.retired ? page.heading : page.form.querySelector('[name=name]')).focus();
    announce('This is how it is now.');
  };
  const overwrite = () => {
    page.seen = now;
    page.form.querySelector('#save').focus();
    page.form.requestSubmit();
  };
  render(page.outcome, html`
    <div class="notice bad" role="alert" tabindex="-1">
      <p><strong>Somebody changed it meanwhile.</strong> Nothing of yours was saved.</p>
      ${differences(page.seen.body, now.body)}
      <div class="actions">
        <button type="button" onclick=${load}>Load it, and drop mine</button>
        ${!now.body.retired && html`<button type="button" onclick=${overwrite}>Save mine over it</button>`}
      </div>
    </div>`);
  page.outcome.firstElementChild.focus();
}

async function retire(page) {
  const product = page.seen.body;
  if (!await mayRetire(product)) return;
  await whileBusy(page.form, async () => {
    try {
      await retireSeen(page.seen);
      announce(`${product.name} is retired.`);
      await navigate('/operator/products');
    } catch (problem) {
      if (problem instanceof ChangedMeanwhile) tellChanged(page, problem.now);
      else render(page.outcome, problemNotice(problem));
    }
  });
}
