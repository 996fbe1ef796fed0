// A parcel's label, to look at and to print: alone, as it goes on the box.

import { html } from '../../html.js';
import { ask } from './dialog.js';

export function labelDialog({ shipment, signal }) {
  const path = `/api/v1/shipments/${shipment.id}/label.svg`;
  return ask({ title: `Label ${shipment.tracking_number}`, kind: 'label', signal }, close => html`
    <img src=${path} alt=${`The label of parcel ${shipment.tracking_number}`}>
    <div class="actions">
      <button type="button" class="primary" onclick=${() => print()}>Print it</button>
      <a class="button" href=${path} target="_blank">Open it by itself</a>
      <button type="button" onclick=${() => close()}>Close</button>
    </div>`);
}
