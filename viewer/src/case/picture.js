import { html } from '../html.js';
import { Legend } from '../parts/legend.js';
import { Classes } from './classes.js';
import { Display, Views, Which } from './controls.js';
import { RegionList } from './regions.js';
import { SideBySide } from './side.js';
import { Stage } from './stage.js';

/** @typedef {import('../settings.js').Case} Case */

const SOFT = 96; // pixels along the shorter side, from which on a picture is interpolated

/** A photograph and what speaks for and against. @param {{ open: Case, subject: import('../types.js').Picture }} props */
export function PictureCase({ open, subject }) {
  const layer = open.layer.value;
  const { src, width, height } = subject;
  const image = src && html`<img class=${`photo ${Math.min(width, height) < SOFT ? 'square' : ''}`} src=${src} alt="" draggable="false" />`;
  return html`<div class="board">
      <div class="main">
        <${Views} />
        <${Stage} open=${open} width=${width} height=${height} caption=${`What the model saw. ${layer.sentence}`}>${image}<//>
        <${Legend} layer=${layer} layers=${open.layers} />
      </div>
      <div class="beside-main">
        <${Which} open=${open} />
        <${Classes} classes=${open.doc.classes ?? []} target=${layer.target} />
        <section><h3>${layer.signed ? 'The regions that say most' : 'The regions that matter most'}</h3><${RegionList} open=${open} /></section>
        <${Display} open=${open} />
      </div>
    </div>
    <${SideBySide} open=${open} width=${width} height=${height}>${image}<//>`;
}
