import { figure } from '../data/numbers.js';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { Board, Empty } from './layout.js';
import { Bars, barColour } from './ledger.js';
import { RegionList } from './regions.js';
import { SideBySide } from './side.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Layer} Layer */

const MOST = 24; // bars of a row of plain values

/** A row of a table: from the baseline's score to this one's, column by column. @param {{ open: Case, subject: import('../types.js').Row }} props */
export function TableCase({ open, subject }) {
  const layer = open.layer.value;
  return html`<${Board} open=${open} bars>
    <${Empty} layer=${layer} />
    ${!layer.nothing && html`<${Columns} layer=${layer} subject=${subject} />`}
  <//>
  <${SideBySide} open=${open} paint=${(/** @type {Layer} */ one) => html`<${Columns} layer=${one} subject=${subject} small />`} />`;
}

/** @param {{ layer: Layer, subject: import('../types.js').Row, small?: boolean }} props */
function Columns({ layer, subject, small = false }) {
  const steps = layer.columns?.steps ?? [];
  const baseline = new Map(subject.columns.map((one) => [one.name, one.baseline]));
  const named = subject.columns.some((one) => one.baseline !== null);
  const bars = steps.map((one) => ({
    label: one.name,
    note: [one.value && `= ${one.value}`, one.kind === 'column' && baseline.get(one.name) != null && `(baseline ${baseline.get(one.name)})`].filter(Boolean).join(' '),
    amount: one.kind === 'end' ? one.stop : one.stop - one.start,
    from: one.kind === 'end' ? 0 : one.start,
    to: one.stop,
    whole: one.kind === 'end',
  }));
  if (small) return html`<${Small} bars=${bars} layer=${layer} />`;
  const how = !layer.columns?.rising ? 'Every bar begins at zero.' : `Every bar begins where the one before it ended${named ? ", from the baseline's score to this row's" : ''}.`;
  return html`<h2>Column by column</h2><p class="faint">${how}</p><${Bars} bars=${bars} label="Contribution of every column" colour=${barColour(layer)} />`;
}

/** Bars without words. @param {{ bars: { label: string, from: number, to: number, amount: number, whole: boolean }[], layer: Layer }} props */
function Small({ bars, layer }) {
  const ends = bars.flatMap((one) => [one.from, one.to]).concat(0);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const colour = barColour(layer);
  return html`<svg class="mini" viewBox=${`0 0 100 ${6 * bars.length}`} aria-hidden="true">${bars.map((one, n) => {
    const x = (/** @type {number} */ value) => (100 * (value - low)) / (high - low || 1);
    return html`<rect x=${Math.min(x(one.from), x(one.to))} y=${6 * n + 1} height="4" width=${Math.max(0.5, Math.abs(x(one.to) - x(one.from)))} fill=${one.whole ? 'currentColor' : colour(one.amount) ?? 'currentColor'} opacity=${one.whole ? 0.5 : 1} />`;
  })}</svg>`;
}

/** Numbers in a row of which nothing else is known. @param {{ open: Case }} props */
export function ValuesCase({ open }) {
  const layer = open.layer.value;
  const values = useValues(layer);
  const order = Array.from(values ?? [], (value, n) => ({ value, n })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const bars = order.slice(0, MOST).sort((a, b) => a.n - b.n).map(({ value, n }) => ({ label: `entry ${n}`, amount: value, from: 0, to: value }));
  const rest = order.slice(MOST).reduce((sum, one) => sum + one.value, 0);
  return html`<${Board} open=${open} bars more=${layer.regions.length > 0 && html`<section><h2 class="minor">Where the evidence lies</h2><${RegionList} open=${open} /></section>`}>
    <${Empty} layer=${layer} />
    ${!layer.nothing && html`<h2>The largest values, in their order</h2><${Bars} bars=${bars} label="The largest values" colour=${barColour(layer)} />
      ${order.length > MOST && html`<p class="faint">${order.length - MOST} smaller ones are together ${figure(rest)}.</p>`}`}
  <//>`;
}
