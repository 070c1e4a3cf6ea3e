import { MapCanvas } from '../parts/map-canvas.js';
import { DataTable } from '../parts/data-table.js';
import { html } from '../html.js';
import { methodOf, methodsOf, settings, show } from '../settings.js';
import { figure, percent } from '../data/numbers.js';
import { groundStyle, veil } from './stage.js';

/** @typedef {import('../settings.js').Case} Case */

/** All maps of one target beside one another, and how far they agree. @param {{ open: Case, width: number, height: number, children: any }} props */
export function SideBySide({ open, width, height, children }) {
  const now = open.layer.value;
  const methods = methodsOf(open.layers);
  const layers = methods.length > 1 ? open.layers.filter((one) => one.target === now.target) : open.layers;
  if (layers.length < 2) return null;
  return html`<section class="beside">
    <h2>${methods.length > 1 ? 'Methods side by side' : 'Targets side by side'}</h2>
    <p class="faint">${settings.scale.value === 'own' ? 'Each map on its own scale.' : 'All maps on one scale.'} Choose one to enlarge it.</p>
    <div class="panels">
      ${layers.map(
        (one) => html`<button type="button" key=${one.id} class="panel" aria-pressed=${String(one === now)} onClick=${() => show(open, one)}>
          <span class="stage" style=${{ aspectRatio: `${width} / ${height}`, background: groundStyle(one) }}>
            <span class="under" style=${{ ...veil(one) }}>${children}</span>
            ${settings.view.value !== 'picture' && !one.nothing && !one.doubt && html`<${MapCanvas} layer=${one} layers=${open.layers} across=${Math.max(width, height)} />`}
            ${(one.nothing || one.doubt) && html`<span class="card">${one.nothing ? 'No evidence found' : 'Under-sampled'}</span>`}
          </span>
          <span class="name" dir="auto">${methods.length > 1 ? methodOf(one) : one.target}</span>
          <span class="faint">full at ${one.signed ? '±' : ''}${figure(one.scale.limit)}${one.signed ? '' : ', unsigned'}</span>
        </button>`,
      )}
    </div>
    <${Agreement} rows=${open.doc.agreement ?? []} layers=${open.layers} />
  </section>`;
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
