// The fields of a product, and what is written in them as the shop takes it.

import { html } from '../../html.js';
import { choice, field, valuesOf } from '../../forms.js';
import { centsOf, typedEuros } from './euros.js';
import { PLAIN, pictureChoice } from './picture-choice.js';

const CURRENCY = 'EUR';
const DEAREST_CENTS = 100_000_000;
const MOST_TAGS = 12;
const LONGEST_TAG = 40;
/** Among the categories: one that there is not yet. No slug is called so. */
const NEW = '+';

const scope = 'product';
const WHOLE = { scope, type: 'number', required: true, max: 1_000_000, step: 1, inputmode: 'numeric' };
const SLUG = '[a-z0-9]+(-[a-z0-9]+)*';

/** `Crème brûlée (6)` is `creme-brulee-6` */
export const slugOf = words => words.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  .replace(/[^a-z0-9]+/g, '-').slice(0, 80).replace(/^-|-$/g, '');

/** @param product what is changed, or null for a new one */
export function productFields({ product, categories, pictures }) {
  const { name, slug, description, category, price, image = PLAIN, weight_grams: grams, tags = [], featured = false } = product ?? {};
  const fields = html`
    <div class="fields">
      ${field('name', 'Name', { scope, required: true, maxlength: 120, wide: true, value: name, autocomplete: 'off' })}
      ${field('slug', 'Address', {
        scope,
        required: true,
        maxlength: 80,
        pattern: SLUG,
        wide: true,
        value: slug,
        autocomplete: 'off',
        spellcheck: 'false',
        hint: 'What comes after /products/: small letters, digits and single dashes.',
      })}
      ${field('description', 'Description', { scope, rows: 5, maxlength: 4000, wide: true, value: description })}
      ${field('category', 'Category', { scope, required: true, options: categoryOptions(categories, category), value: category ?? '' })}
      <div class="new-category" hidden>
        ${field('category_name', 'The new category', { scope, required: true, disabled: true, maxlength: 60, autocomplete: 'off' })}
      </div>
      ${field('price', 'Price in euros', {
        scope,
        required: true,
        inputmode: 'decimal',
        maxlength: 12,
        autocomplete: 'off',
        value: price && typedEuros(price.amount),
      })}
      ${field('weight_grams', 'Weight in grams', { ...WHOLE, min: 1, value: grams })}
      ${!product && field('on_hand', 'Pieces in stock', { ...WHOLE, min: 0, value: 0 })}
      ${field('tags', 'Tags', {
        scope,
        wide: true,
        autocomplete: 'off',
        value: tags.join(', '),
        hint: `Words that it is found by, with commas between: at most ${MOST_TAGS}.`,
      })}
      ${pictureChoice(pictures, image)}
      <div class="wide">${choice('featured', 'Show it on the first page', { scope, checked: featured })}</div>
    </div>`;
  tieCategory(fields);
  if (!product) tieSlug(fields);
  return fields;
}

function categoryOptions(categories, current) {
  const known = categories.map(({ slug, name }) => [slug, name]);
  if (current && !categories.some(({ slug }) => slug === current)) known.unshift([current, current]);
  return [['', 'Choose a category'], ...known, [NEW, 'A new one…']];
}

/** The field for a new category's name stands there only for a new category. */
function tieCategory(fields) {
  const select = fields.querySelector('[name=category]');
  const place = fields.querySelector('.new-category');
  const name = place.querySelector('input');
  select.addEventListener('change', () => {
    place.hidden = select.value !== NEW;
    name.disabled = place.hidden;
  });
}

/** A new product's address follows its name until somebody writes another one. */
function tieSlug(fields) {
  const name = fields.querySelector('[name=name]');
  const slug = fields.querySelector('[name=slug]');
  let follows = true;
  slug.addEventListener('input', () => {
    follows = slug.value === '';
  });
  name.addEventListener('input', () => {
    if (follows) slug.value = slugOf(name.value);
  });
}

/** What stands in the form, as the shop takes it; a price that is none is null. */
export function listingOf(form) {
  const values = valuesOf(form);
  const isNew = values.category === NEW;
  const cents = centsOf(values.price);
  return {
    name: values.name,
    slug: values.slug,
    // The shop keeps one line of text.
    description: (values.description ?? '').replace(/\s+/g, ' '),
    category: isNew ? slugOf(values.category_name ?? '') : values.category,
    ...(isNew && { category_name: values.category_name }),
    price: cents === null ? null : { amount: cents, currency: CURRENCY },
    image: values.image,
    weight_grams: Number(values.weight_grams),
    tags: [...new Set((values.tags ?? '').split(',').map(tag => tag.trim()).filter(Boolean))],
    featured: values.featured === 'true',
    ...(values.on_hand !== undefined && { on_hand: Number(values.on_hand) }),
  };
}

/** Throws what is wrong with it as the shop does, at its fields, before the shop is asked. */
export function check({ price, tags, category }) {
  const errors = [];
  const wrong = (name, reason) => errors.push({ pointer: `/${name}`, reason });
  if (!price?.amount || price.amount > DEAREST_CENTS) wrong('price', 'Write it in euros and cents, such as 12.50, at most a million');
  if (tags.length > MOST_TAGS) wrong('tags', `There may be at most ${MOST_TAGS}`);
  else if (tags.some(tag => tag.length > LONGEST_TAG)) wrong('tags', `Each may have at most ${LONGEST_TAG} characters`);
  if (!category) wrong('category_name', 'There must be a letter or a digit in it');
  if (errors.length) throw { errors };
}
