// The shop's codes in words.

export const ORDER_STATUS = {
  pending: 'Being placed',
  confirmed: 'Confirmed',
  packed: 'Packed',
  shipped: 'On its way',
  delivered: 'Delivered',
  rejected: 'Not placed',
  cancelled: 'Cancelled',
  returned: 'Returned',
};

export const SHIPMENT_STATUS = {
  label_created: 'Label made',
  picked_up: 'Picked up by the carrier',
  in_transit: 'On its way',
  at_hub: 'At a hub',
  out_for_delivery: 'Out for delivery',
  delivered: 'Delivered',
  exception: 'Held up',
  returned: 'Sent back',
  cancelled: 'Cancelled',
};

export const PAYMENT_STATUS = {
  declined: 'Declined',
  authorized: 'Set aside on the card',
  voided: 'Let go, nothing charged',
  captured: 'Paid',
  partially_refunded: 'Partly refunded',
  refunded: 'Refunded',
};

export const SHIPPING_SERVICE = { economy: 'Economy', standard: 'Standard', express: 'Express' };

const BRANDS = { visa: 'Visa', mastercard: 'Mastercard', amex: 'American Express', discover: 'Discover', diners: 'Diners Club', jcb: 'JCB' };

export const brand = name => BRANDS[name] ?? name;

/** `Visa ending in 4242` */
export const card = ({ brand: name, last4 }) => `${brand(name)} ending in ${last4}`;

/** Parts of a page that may be missing, as the page calls them. */
export const PARTS = {
  featured: 'our favourites',
  categories: 'the categories',
  cart: 'your cart',
  user: 'who is signed in',
  profile: 'your profile',
  addresses: 'your addresses',
  payment_methods: 'your cards',
  latest_orders: 'your latest orders',
  unread_count: 'how much is unread',
  payment: 'the payment',
  shipment: 'the parcel',
};

const DECLINES = {
  insufficient_funds: 'the card does not have enough money on it',
  expired_card: 'the card has expired',
  incorrect_cvc: 'the security code was not right',
  processing_error: 'the bank could not process the card just then',
  card_velocity_exceeded: 'the card has been used too often lately',
};

/** Why an order was rejected or cancelled. A lost or stolen card is told as any declined one. */
export function reason({ reason: code, decline_code, detail }) {
  switch (code) {
    case 'out_of_stock': return 'Something in it was sold out before it could be set aside. Nothing was charged.';
    case 'payment_declined': return `The payment was declined: ${DECLINES[decline_code] ?? 'the bank refused the card'}. Nothing was charged.`;
    case 'undeliverable': return `It cannot be delivered there: ${detail}. Nothing was charged.`;
    case 'unavailable': return 'A part of the shop that was needed for it was away. Nothing was charged.';
    default: return 'It was cancelled.';
  }
}
