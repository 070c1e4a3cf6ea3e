import { html } from '../html.js';
import { Legend } from '../parts/legend.js';
import { MapCanvas } from '../parts/map-canvas.js';
import { settings } from '../settings.js';
import { Views } from './controls.js';
import { Board } from './layout.js';
import { RegionList } from './regions.js';
import { SideBySide } from './side.js';
import { Stage, groundStyle, veil } from './stage.js';
import { ValuesCase } from './table.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Layer} Layer */
/** @typedef {import('../types.js').Picture} Picture */

const SOFT = 96; // pixels along the shorter side, from which on a picture is interpolated

/** A photograph and what speaks for and against. @param {{ open: Case, subject: Picture }} props */
export function PictureCase({ open, subject }) {
  const layer = open.layer.value;
  if (layer.shape[0] === 1 && layer.shape[1] > 1 && subject.height > 1) return html`<${ValuesCase} open=${open} />`;
  const { width, height } = subject;
  const more = !layer.nothing && !layer.doubt && html`<section><h2 class="minor">${layer.signed ? 'The regions that say most' : 'The regions that matter most'}</h2><${RegionList} open=${open} /></section>`;
  return html`<${Board} open=${open} picture more=${more}>
      <${Views} layer=${layer} photo=${Boolean(subject.src)} />
      <${Stage} open=${open} width=${width} height=${height} photo=${Boolean(subject.src)} caption=${`What the model saw. ${layer.sentence}`}><${Photo} subject=${subject} /><//>
      <${Legend} layer=${layer} layers=${open.layers} />
    <//>
    <${SideBySide} open=${open} paint=${(/** @type {Layer} */ one) => html`<${Small} subject=${subject} layer=${one} layers=${open.layers} />`} />`;
}

/** @param {{ subject: Picture }} props */
export function Photo({ subject }) {
  if (!subject.src) return null;
  return html`<img class=${`photo ${Math.min(subject.width, subject.height) < SOFT ? 'square' : ''}`} src=${subject.src} alt="" draggable="false" />`;
}

/** A small map over its picture. @param {{ subject: Picture, layer: Layer, layers: Layer[], children?: any }} props */
export function Small({ subject, layer, layers, children }) {
  const { width, height } = subject;
  const flat = layer.shape[0] === 1 && height > 1;
  return html`<span class="stage" style=${{ aspectRatio: `${width} / ${height}`, background: groundStyle(layer) }}>
    <span class="under" style=${veil(layer)}><${Photo} subject=${subject} /></span>
    ${settings.view.value !== 'picture' && !flat && !layer.nothing && !layer.doubt && html`<${MapCanvas} layer=${layer} layers=${layers} across=${Math.max(width, height)} />`}
    ${children}
  </span>`;
}
