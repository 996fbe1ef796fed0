// The API's codes as text.

export const ORDER_STATUS = {
  pending: 'Processing',
  confirmed: 'Confirmed',
  packed: 'Packed',
  shipped: 'Shipped',
  delivered: 'Delivered',
  rejected: 'Rejected',
  cancelled: 'Cancelled',
  returned: 'Returned',
};

export const SHIPMENT_STATUS = {
  label_created: 'Label created',
  picked_up: 'Picked up by the carrier',
  in_transit: 'In transit',
  at_hub: 'At a hub',
  out_for_delivery: 'Out for delivery',
  delivered: 'Delivered',
  exception: 'Delayed',
  returned: 'Returned to sender',
  cancelled: 'Cancelled',
};

export const PAYMENT_STATUS = {
  declined: 'Declined',
  authorized: 'Authorized, not charged yet',
  voided: 'Cancelled, nothing was charged',
  captured: 'Paid',
  partially_refunded: 'Partly refunded',
  refunded: 'Refunded',
};

export const SHIPPING_SERVICE = { economy: 'Economy', standard: 'Standard', express: 'Express' };

const BRANDS = { visa: 'Visa', mastercard: 'Mastercard', amex: 'American Express', discover: 'Discover', diners: 'Diners Club', jcb: 'JCB' };

export const brand = name => BRANDS[name] ?? name;

/** `Visa ending in 4242` */
export const card = ({ brand: name, last4 }) => `${brand(name)} ending in ${last4}`;

/** `03/2028` */
export const expiry = ({ exp_month: month, exp_year: year }) => `${String(month).padStart(2, '0')}/${year}`;

/** The parts of an answer that may be missing (its `degraded`), as the page calls them. */
export const PARTS = {
  featured: 'featured products',
  categories: 'categories',
  cart: 'your cart',
  user: 'your sign-in status',
  profile: 'your profile',
  addresses: 'your addresses',
  payment_methods: 'your cards',
  latest_orders: 'your latest orders',
  unread_count: 'the number of unread messages',
  payment: 'the payment',
  shipment: 'the parcel',
};

const DECLINES = {
  insufficient_funds: 'the card does not have enough money',
  expired_card: 'the card has expired',
  incorrect_cvc: 'the security code is wrong',
  processing_error: 'the bank could not process the payment at that time',
  card_velocity_exceeded: 'the card was used too often in a short time',
};

/**
 * Why an order was rejected or cancelled. A lost or stolen card reads like any other declined card.
 */
export function reason({ reason: code, decline_code, detail }) {
  switch (code) {
    case 'out_of_stock': return 'A product was sold out before it could be reserved. Nothing was charged.';
    case 'payment_declined': return `The payment was declined: ${DECLINES[decline_code] ?? 'the bank refused the card'}. Nothing was charged.`;
    case 'undeliverable': return `The order cannot be delivered to this address: ${detail}. Nothing was charged.`;
    case 'unavailable': return 'A service of the shop was not available. Nothing was charged.';
    default: return 'The order was cancelled.';
  }
}
