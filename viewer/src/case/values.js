import { quantised, stepOf, valuesOf } from '../data/decode.js';
import { figure } from '../data/numbers.js';
import { download, fileName, line } from '../data/save.js';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { DataTable } from '../parts/data-table.js';
import { methodOf } from '../settings.js';

/** @typedef {import('../types.js').Layer} Layer */
/** @typedef {import('../types.js').Subject} Subject */

const FIELDS = 8; // along each side of the table of a map

/** How exactly a file of values holds them. @param {Layer} layer */
export function precision(layer) {
  if (!quantised(layer)) return 'as exact as they were computed (float32)';
  return `rounded to steps of ${figure(stepOf(layer))}`;
}

/** Names of the places of a layer. @param {Subject} subject @param {Layer} layer @returns {{ head: string[], cells: (n: number) => (string | number)[] }} */
export function placesOf(subject, layer) {
  const [, across] = layer.shape;
  if (subject.kind === 'tokens') return { head: ['place', 'token', 'kind'], cells: (n) => [n, subject.tokens[n]?.text ?? '', subject.tokens[n]?.kind ?? ''] };
  if (subject.kind === 'table') return { head: ['column', 'value', 'baseline'], cells: (n) => [subject.columns[n]?.name ?? n, subject.columns[n]?.value ?? '', subject.columns[n]?.baseline ?? ''] };
  if (subject.kind === 'curves') return { head: ['channel', 'place'], cells: (n) => [subject.channels[Math.floor(n / across)]?.name ?? '', n % across] };
  if (subject.kind === 'generated') return { head: ['new token', 'token'], cells: (n) => [layer.rows[Math.floor(n / across)]?.target ?? '', subject.tokens[n % across]?.text ?? ''] };
  if (subject.kind === 'values') return { head: ['entry'], cells: (n) => [n] };
  if (subject.kind === 'spectrogram') return { head: ['frequency', 'time'], cells: (n) => [subject.frequencies[Math.floor(n / across) % subject.height], subject.times[n % across] ?? n % across] };
  return { head: ['row', 'column'], cells: (n) => [Math.floor(n / across), n % across] };
}

/** @param {Subject} subject @param {Layer} layer */
async function saveValues(subject, layer) {
  const values = await valuesOf(layer);
  const { head, cells } = placesOf(subject, layer);
  const rows = [`# ${methodOf(layer)} -> ${layer.equation.replaceAll('\n', ' ')}; values ${precision(layer)}`, line([...head, 'value'])];
  values.forEach((value, n) => rows.push(line([...cells(n), Number(value.toPrecision(7))])));
  download(`${fileName(layer.method, layer.target)}.csv`, `${rows.join('\n')}\n`);
}

/** The values of a layer: as a table, and as a file. @param {{ subject: Subject, layer: Layer }} props */
export function Values({ subject, layer }) {
  const values = useValues(layer);
  if (!values) return null;
  const table = layer.shape[0] > 1 ? fields(values, layer) : places(values, subject, layer);
  return html`<section class="values">
    <h2>Values</h2>
    <p class="faint">The file holds one line per place, ${precision(layer)}.</p>
    <p><button type="button" class="plain" onClick=${() => saveValues(subject, layer)}>Download values</button> <span class="faint">CSV</span></p>
    <${DataTable} title=${layer.shape[0] > 1 ? 'The map as a table: sums over fields' : 'The values as a table'} table=${table} />
  </section>`;
}

/** Sums over a grid of fields. @param {Float32Array} values @param {Layer} layer */
function fields(values, layer) {
  const [down, across] = layer.shape;
  const [high, wide] = [Math.min(FIELDS, down), Math.min(FIELDS, across)];
  const sums = Array.from({ length: high }, () => new Array(wide).fill(0));
  values.forEach((value, n) => (sums[Math.floor((Math.floor(n / across) * high) / down)][Math.floor(((n % across) * wide) / across)] += value));
  const span = (/** @type {number} */ n, /** @type {number} */ parts, /** @type {number} */ size) =>
    `${Math.ceil((n * size) / parts)}–${Math.ceil(((n + 1) * size) / parts) - 1}`;
  return {
    head: ['Rows', ...Array.from({ length: wide }, (_, n) => `Columns ${span(n, wide, across)}`)],
    rows: sums.map((row, n) => [span(n, high, down), ...row.map((sum) => figure(sum))]),
  };
}

/** @param {Float32Array} values @param {Subject} subject @param {Layer} layer */
function places(values, subject, layer) {
  const { head, cells } = placesOf(subject, layer);
  return { head: [...head.map((name) => name[0].toUpperCase() + name.slice(1)), 'Contribution'], rows: Array.from(values, (value, n) => [...cells(n).map(String), figure(value)]) };
}
