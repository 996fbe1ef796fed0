// Prices as people type them, in whole cents: no sum of money is ever a fraction on its way.

const TYPED = /^(\d{1,8})(?:[.,](\d{1,2}))?$/;

/** `19.9` and `19,90` are 1990; null for what is no price. */
export function centsOf(typed = '') {
  const [, euros, cents = ''] = typed.replace(/^€\s*/, '').match(TYPED) ?? [];
  return euros === undefined ? null : Number(euros) * 100 + Number(cents.padEnd(2, '0'));
}

/** 1990 is `19.90` */
export const typedEuros = cents => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
