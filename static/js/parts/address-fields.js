// An address: as form fields and as text.

import { html } from '../html.js';
import { country } from '../format.js';
import { field } from '../forms.js';

/** ISO 3166-1 alpha-2. */
const CODES = `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
 BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB
 GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI
 KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ
 NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
 SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN
 VU WF WS YE YT ZA ZM ZW`.split(/\s+/);

const CHOSEN = 'galleria.country';

let countries;

export function countryOptions() {
  countries ??= CODES.map(code => [code, country(code)]).sort(([, one], [, other]) => one.localeCompare(other));
  return [['', 'Choose a country'], ...countries];
}

/** A first guess: the country that was chosen last, or the region of the browser's language. */
export function likelyCountry() {
  const chosen = localStorage.getItem(CHOSEN);
  if (CODES.includes(chosen)) return chosen;
  const [, region] = navigator.language.match(/-([A-Z]{2})\b/) ?? [];
  return CODES.includes(region) ? region : '';
}

export const rememberCountry = code => localStorage.setItem(CHOSEN, code);

const NAMES = ['name', 'line1', 'line2', 'postal_code', 'city', 'country', 'phone'];

export function addressFields(address = {}, { scope = 'address', section = 'shipping' } = {}) {
  const part = (name, label, autocomplete, attributes) =>
    field(name, label, { scope, value: address[name], autocomplete: `${section} ${autocomplete}`, ...attributes });
  return html`
    <div class="fields">
      ${part('name', 'Full name', 'name', { required: true, maxlength: 100, wide: true })}
      ${part('line1', 'Street and number', 'address-line1', { required: true, maxlength: 120, wide: true })}
      ${part('line2', 'Flat, floor, building', 'address-line2', { maxlength: 120, wide: true })}
      ${part('postal_code', 'Postal code', 'postal-code', { required: true, maxlength: 16 })}
      ${part('city', 'Town or city', 'address-level2', { required: true, maxlength: 80 })}
      ${part('country', 'Country', 'country', { required: true, options: countryOptions(), value: address.country ?? likelyCountry() })}
      ${part('phone', 'Phone', 'tel', { type: 'tel', minlength: 3, maxlength: 32 })}
    </div>`;
}

/** The form's values as the API's address, without empty fields. */
export const addressOf = values => Object.fromEntries(NAMES.map(name => [name, values[name]]).filter(([, value]) => value));

export const addressLines = ({ name, line1, line2, postal_code: code, city, country: where }) =>
  html`<address>${[name, line1, line2, `${code} ${city}`, country(where)].filter(Boolean).map(line => html`<span>${line}</span>`)}</address>`;

export const addressLine = ({ line1, postal_code: code, city, country: where }) => `${line1}, ${code} ${city}, ${country(where)}`;
