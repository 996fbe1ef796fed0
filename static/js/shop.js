// The data that several pages show: user, cart, unread messages. Sends `change`.

import { get } from './api.js';
import { isSignedIn } from './session.js';

class Shop extends EventTarget {
  user = null;
  cart = null;
  unread = 0;
  /** There is a session, but the API cannot load its user at the moment. */
  userIsUnknown = false;
  #storefront = null;
  #loadedAt = 0;

  get isSignedIn() {
    return this.user !== null || this.userIsUnknown;
  }

  get isOperator() {
    return this.user?.role === 'operator';
  }

  /**
   * Loads the home page's content, the user and the cart.
   * @param maxAge milliseconds that an earlier answer is reused
   */
  async storefront({ maxAge = 0 } = {}) {
    if (this.#storefront && Date.now() - this.#loadedAt < maxAge) return this.#storefront;
    const storefront = await get('/storefront');
    this.#storefront = storefront;
    this.#loadedAt = Date.now();
    this.user = storefront.user;
    this.userIsUnknown = storefront.degraded.includes('user') && isSignedIn();
    if (storefront.cart) this.cart = storefront.cart;
    this.#changed();
    return storefront;
  }

  setCart(cart) {
    this.cart = cart;
    this.#changed();
  }

  setUser(user) {
    this.user = user;
    this.userIsUnknown = false;
    this.#loadedAt = 0;
    if (!user) {
      this.cart = null;
      this.unread = 0;
    }
    this.#changed();
  }

  /** After signing in or out: sets the user, and loads the cart and the messages. */
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
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

export const shop = new Shop();
