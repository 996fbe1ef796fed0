// A dialog with a parcel's label, which can be printed alone.

import { html } from '../../html.js';
import { ask } from '../dialog.js';

export function labelDialog({ shipment, signal }) {
  const path = `/api/v1/shipments/${shipment.id}/label.svg`;
  return ask({ title: `Label ${shipment.tracking_number}`, kind: 'label', signal }, close => html`
    <img src=${path} alt=${`The label of parcel ${shipment.tracking_number}`}>
    <div class="actions">
      <button type="button" class="primary" onclick=${() => print()}>Print</button>
      <a class="button" href=${path} target="_blank">Open in a new tab</a>
      <button type="button" onclick=${() => close()}>Close</button>
    </div>`);
}
