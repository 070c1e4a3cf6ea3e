import { html } from '../html.js';
import { tools } from '../settings.js';
import { Classes } from './classes.js';
import { Display, Which } from './controls.js';

/** @typedef {import('../settings.js').Case} Case */

/** The figure, and beside it what there is to choose. @param {{ open: Case, children: any, more?: any, picture?: boolean, bars?: boolean }} props */
export function Board({ open, children, more, picture = false, bars = false }) {
  if (open.nested) return html`<div class=${more ? 'board' : ''}><div class="main">${children}</div>${more && html`<div class="beside-main">${more}</div>`}</div>`;
  return html`<div class="board">
    <div class="main">${children}</div>
    <div class="beside-main">
      <${Which} open=${open} />
      <${Classes} classes=${open.doc.classes ?? []} layer=${open.layer.value} />
      ${more}
      ${tools.value?.Panel && html`<${tools.value.Panel} />`}
      <${Display} open=${open} picture=${picture} bars=${bars} />
    </div>
  </div>`;
}

/** Stands where a map would. @param {{ layer: import('../types.js').Layer }} props */
export function Empty({ layer }) {
  if (layer.nothing) return html`<p class="empty"><strong>No evidence found.</strong> ${layer.nothing}</p>`;
  return layer.doubt ? html`<p class="empty"><strong>Under-sampled.</strong> ${layer.doubt}</p>` : null;
}
