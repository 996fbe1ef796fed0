// The page for an address that the shop does not know.

import { html } from '../html.js';
import { plainView } from '../router.js';

export default () => plainView('Page not found', html`<p><a class="button" href="/">Go to the home page</a></p>`);
