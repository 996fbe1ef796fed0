// Typed prices, in whole cents: an amount of money is never a floating-point fraction. Pure.

const TYPED = /^(\d{1,8})(?:[.,](\d{1,2}))?$/;

/** `19.9` and `19,90` are 1990; null if the text is not a price. */
export function centsOf(typed = '') {
  const [, euros, cents = ''] = typed.replace(/^€\s*/, '').match(TYPED) ?? [];
  return euros === undefined ? null : Number(euros) * 100 + Number(cents.padEnd(2, '0'));
}

/** 1990 is `19.90` */
export const typedEuros = cents => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
