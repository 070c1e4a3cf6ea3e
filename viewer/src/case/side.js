import { useState } from 'preact/hooks';
import { DataTable } from '../parts/data-table.js';
import { html } from '../html.js';
import { methodOf, methodsOf, settings, show } from '../settings.js';
import { figure, percent } from '../data/numbers.js';

/** @typedef {import('../settings.js').Case} Case */

const MOST = 24; // maps at first

/**
 * All maps of one target beside one another, and how far they agree.
 *
 * @param {{ open: Case, paint: (layer: import('../types.js').Layer) => any }} props `paint` draws one of them.
 */
export function SideBySide({ open, paint }) {
  const [all, setAll] = useState(false);
  const now = open.layer.value;
  const methods = methodsOf(open.layers);
  const layers = methods.length > 1 ? open.layers.filter((one) => one.target === now.target) : open.layers;
  if (layers.length < 2) return null;
  return html`<section class="beside">
    <h2>${methods.length > 1 ? 'Methods side by side' : 'Targets side by side'}</h2>
    <p class="faint">${settings.scale.value === 'own' ? 'Each map on its own scale.' : 'All maps on one scale.'} ${colours(layers)} Choose one to enlarge it.</p>
    <div class="panels">
      ${layers.slice(0, all ? undefined : MOST).map(
        (one) => html`<button type="button" key=${one.id} class="panel" aria-pressed=${String(one === now)} onClick=${() => show(open, one)}>
          ${one.nothing || one.doubt ? html`<span class="hollow">${one.nothing ? 'No evidence found' : 'Under-sampled'}</span>` : paint(one)}
          <span class="name" dir="auto">${methods.length > 1 ? methodOf(one) : one.target}</span>
          <span class="faint">full at ${one.signed ? '±' : ''}${figure(one.scale.limit)}${one.signed ? '' : ', unsigned'}</span>
        </button>`,
      )}
    </div>
    ${layers.length > MOST && !all && html`<p><button type="button" class="plain" onClick=${() => setAll(true)}>Show all ${layers.length}</button></p>`}
    ${(open.doc.failures ?? []).map((one) => html`<p class="warning"><strong>${one.method}</strong> gave no answer: <span dir="auto">${one.reason}</span></p>`)}
    <${Agreement} rows=${open.doc.agreement ?? []} layers=${open.layers} />
  </section>`;
}

/** What the colours mean where maps with two signs and with one stand together. @param {import('../types.js').Layer[]} layers */
function colours(layers) {
  if (settings.palette.value !== 'red-blue' || layers.every((one) => one.signed === layers[0].signed)) return '';
  return 'Red speaks for, blue against; purple says how much, not for or against.';
}

/** @param {{ rows: import('../types.js').Agreement[], layers: import('../types.js').Layer[] }} props */
function Agreement({ rows, layers }) {
  if (!rows.length) return null;
  const nameOf = (/** @type {string} */ id) => layers.filter((one) => one.id === id).map(methodOf)[0] ?? id;
  const table = {
    head: ['First', 'Second', 'Rank correlation', 'Overlap of regions'],
    rows: rows.map((one) => [nameOf(one.first), nameOf(one.second), one.correlation === null ? 'none' : figure(one.correlation, 2), one.overlap === null ? 'none' : percent(one.overlap)]),
  };
  return html`<h3>How far they agree</h3>
    <p class="faint">Rank correlation of the values, from −1 to 1; and of the regions of either that speak for the target, the share that lies in both.</p>
    <${DataTable} title="Agreement, pair by pair" table=${table} open=${rows.length <= 10} />`;
}
