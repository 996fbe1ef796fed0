// The fields of a product, and their values as the API's product.

import { html } from '../../html.js';
import { choice, field, valuesOf } from '../../forms.js';
import { centsOf, typedEuros } from './euros.js';
import { PLAIN, pictureChoice } from './picture-choice.js';

const CURRENCY = 'EUR';
const MAX_CENTS = 100_000_000;
const MAX_TAGS = 12;
const MAX_TAG_LENGTH = 40;
/** The choice of a new category. It is not a valid slug, so no category has this value. */
const NEW = '+';

const scope = 'product';
const INTEGER = { scope, type: 'number', required: true, max: 1_000_000, step: 1, inputmode: 'numeric' };
const SLUG = '[a-z0-9]+(-[a-z0-9]+)*';

/** `Crème brûlée (6)` is `creme-brulee-6` */
export const slugOf = text => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  .replace(/[^a-z0-9]+/g, '-').slice(0, 80).replace(/^-|-$/g, '');

/** @param product null for a new product */
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
        hint: 'The part of the address after /products/: lower-case letters, digits and single hyphens.',
      })}
      ${field('description', 'Description', { scope, rows: 5, maxlength: 4000, wide: true, value: description })}
      ${field('category', 'Category', { scope, required: true, options: categoryOptions(categories, category), value: category ?? '' })}
      <div class="new-category" hidden>
        ${field('category_name', 'Name of the new category', { scope, required: true, disabled: true, maxlength: 60, autocomplete: 'off' })}
      </div>
      ${field('price', 'Price in euros', {
        scope,
        required: true,
        inputmode: 'decimal',
        maxlength: 12,
        autocomplete: 'off',
        value: price && typedEuros(price.amount),
      })}
      ${field('weight_grams', 'Weight in grams', { ...INTEGER, min: 1, value: grams })}
      ${!product && field('on_hand', 'Items in stock', { ...INTEGER, min: 0, value: 0 })}
      ${field('tags', 'Tags', {
        scope,
        wide: true,
        autocomplete: 'off',
        value: tags.join(', '),
        hint: `Search words, separated by commas, at most ${MAX_TAGS}.`,
      })}
      ${pictureChoice(pictures, image)}
      <div class="wide">${choice('featured', 'Show it on the home page', { scope, checked: featured })}</div>
    </div>`;
  tieCategory(fields);
  if (!product) tieSlug(fields);
  return fields;
}

function categoryOptions(categories, current) {
  const known = categories.map(({ slug, name }) => [slug, name]);
  if (current && !categories.some(({ slug }) => slug === current)) known.unshift([current, current]);
  return [['', 'Choose a category'], ...known, [NEW, 'New category…']];
}

/** Shows the field for a category's name only while “New category” is chosen. */
function tieCategory(fields) {
  const select = fields.querySelector('[name=category]');
  const place = fields.querySelector('.new-category');
  const name = place.querySelector('input');
  select.addEventListener('change', () => {
    place.hidden = select.value !== NEW;
    name.disabled = place.hidden;
  });
}

/** A new product's address is made from its name until the operator types another one. */
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

/** The form's values as the API's product. An invalid price is null. */
export function listingOf(form) {
  const values = valuesOf(form);
  const isNew = values.category === NEW;
  const cents = centsOf(values.price);
  return {
    name: values.name,
    slug: values.slug,
    // The API accepts only one line of text.
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

/** Throws the errors that the API would return, so that they show before the request is sent. */
export function check({ price, tags, category }) {
  const errors = [];
  const wrong = (name, reason) => errors.push({ pointer: `/${name}`, reason });
  if (!price?.amount || price.amount > MAX_CENTS) wrong('price', 'Enter euros and cents, such as 12.50, at most 1,000,000');
  if (tags.length > MAX_TAGS) wrong('tags', `Enter at most ${MAX_TAGS} tags`);
  else if (tags.some(tag => tag.length > MAX_TAG_LENGTH)) wrong('tags', `A tag has at most ${MAX_TAG_LENGTH} characters`);
  if (!category) wrong('category_name', 'Enter at least one letter or digit');
  if (errors.length) throw { errors };
}
