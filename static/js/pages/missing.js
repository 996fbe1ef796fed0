// A path of this site that leads to no page.

import { html } from '../html.js';
import { plainView } from '../router.js';

export default () => plainView('There is no such page', html`<p><a class="button" href="/">Go to the first page</a></p>`);
