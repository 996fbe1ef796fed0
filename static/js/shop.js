// What every page knows: who is signed in, what is in the cart, how much of the inbox is unread.

import { get } from './api.js';
import { isSignedIn } from './session.js';

class Shop extends EventTarget {
  user = null;
  cart = null;
  unread = 0;
  /** The shop cannot say who is signed in, though somebody is. */
  userIsUnknown = false;
  #storefront = null;
  #loadedAt = 0;

  get isSignedIn() {
    return this.user !== null || this.userIsUnknown;
  }

  get isOperator() {
    return this.user?.role === 'operator';
  }

  /** The first page's content, which also tells who is signed in; one that was just read is not read again. */
  async storefront({ maxAge = 0 } = {}) {
    if (this.#storefront && Date.now() - this.#loadedAt < maxAge) return this.#storefront;
    const storefront = await get('/storefront');
    this.#storefront = storefront;
    this.#loadedAt = Date.now();
    this.user = storefront.user;
    this.userIsUnknown = storefront.degraded.includes('user') && isSignedIn();
    if (storefront.cart) this.cart = storefront.cart;
    this.#tell();
    return storefront;
  }

  setCart(cart) {
    this.cart = cart;
    this.#tell();
  }

  setUser(user) {
    this.user = user;
    this.userIsUnknown = false;
    this.#loadedAt = 0;
    if (!user) {
      this.cart = null;
      this.unread = 0;
    }
    this.#tell();
  }

  /** After signing in or out: another user, another cart. */
  async change(user) {
    this.setUser(user);
    await Promise.allSettled([this.storefront(), this.countUnread()]);
  }

  async countUnread() {
    if (!this.isSignedIn) return;
    const { unread_count } = await get('/account');
    this.setUnread(unread_count ?? this.unread);
  }

  setUnread(count) {
    this.unread = count;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}

export const shop = new Shop();
