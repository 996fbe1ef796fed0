// Numbers, money and dates as text, in British English. Pure.

const LANGUAGE = 'en-GB';

const currencies = new Map();

/** `{ amount: 1999, currency: 'EUR' }` is €19.99. */
export function money({ amount, currency }) {
  let format = currencies.get(currency);
  if (!format) {
    format = new Intl.NumberFormat(LANGUAGE, { style: 'currency', currency });
    currencies.set(currency, format);
  }
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

/** Both amounts must be in the same currency. */
export const sum = (one, other) => ({ ...one, amount: one.amount + other.amount });

const days = new Intl.DateTimeFormat(LANGUAGE, { weekday: 'short', day: 'numeric', month: 'short' });
const dates = new Intl.DateTimeFormat(LANGUAGE, { day: 'numeric', month: 'long', year: 'numeric' });
const instants = new Intl.DateTimeFormat(LANGUAGE, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const moments = new Intl.DateTimeFormat(LANGUAGE, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** `Thu, 27 Nov` */
export const day = time => days.format(new Date(time));
/** `27 November 2025` */
export const date = time => dates.format(new Date(time));
/** `27 Nov, 14:05` */
export const moment = time => moments.format(new Date(time));

/** `27 Nov, 14:05:09`: the seconds matter, since a demonstration's parcels travel fast */
export const instant = time => instants.format(new Date(time));

/** `1 item`, `2 items` */
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** `20 seconds`, `3 minutes`: from 90 seconds on in minutes, rounded up */
export const span = seconds => (seconds < 90 ? plural(seconds, 'second') : plural(Math.ceil(seconds / 60), 'minute'));

/** `850 g`, `1.25 kg` */
export const weight = grams => (grams < 1000 ? `${grams} g` : `${(grams / 1000).toLocaleString(LANGUAGE, { maximumFractionDigits: 2 })} kg`);

/** The last 8 characters of an order's id: enough to distinguish a customer's orders. */
export const shortId = id => id.slice(-8).toUpperCase();

/** The text with a capital letter and a full stop: the API's reasons have neither. */
export const sentence = text => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

const countries = new Intl.DisplayNames(LANGUAGE, { type: 'region' });
/** `DE` is `Germany` */
export const country = code => countries.of(code);
