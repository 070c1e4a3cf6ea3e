import { useMemo, useState } from 'preact/hooks';
import { JudgedItems } from '../audit/judged.js';
import { figure } from '../data/numbers.js';
import { download, fileName, line } from '../data/save.js';
import { html } from '../html.js';
import { Figures } from '../parts/figures.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { Interval } from './interval.js';
import { Curves } from './removal.js';
import { names } from '../parts/names.js';

/** @typedef {import('../types.js').Doc} Doc */
/** @typedef {import('../types.js').Score} Score */
/** @typedef {{ name: keyof Score, label: string, number?: boolean }} Column */

/** @type {Column[]} */
const COLUMNS = [
  { name: 'metric', label: 'Metric' },
  { name: 'condition', label: 'Condition' },
  { name: 'method', label: 'Method' },
  { name: 'rank', label: 'Rank', number: true },
  { name: 'score', label: 'Score', number: true },
  { name: 'low', label: '95 % interval' },
  { name: 'n', label: 'Samples', number: true },
  { name: 'forwards', label: 'Passes', number: true },
  { name: 'seconds', label: 'Seconds', number: true },
];
const ALWAYS = ['metric', 'method', 'score', 'low'];

/** Methods by metrics, with intervals, in the order the reader wants. @param {{ doc: Doc, source?: any, children?: any }} props `source`: where items come from that the document does not hold. */
export function EvaluationApp({ doc, source, children }) {
  return html`<article class="evaluation">
    <header><h1 dir="auto">${names(doc.title)}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${doc.notes} /></header>
    <${Scores} doc=${doc} rows=${doc.rows ?? []} />
    ${children}<${Curves} curves=${doc.curves ?? []} />
    ${doc.judged && html`<${JudgedItems} doc=${doc} source=${source} />`}
    <${Figures} figures=${(doc.figures ?? []).map((one) => ({ ...one, title: one.src || one.svg ? one.title : '', caption: one.caption === doc.sentence ? '' : one.caption }))} open=${false} />
    <${Repeat} doc=${doc} />
  </article>`;
}

/** @param {{ doc: Doc, rows: Score[] }} props */
function Scores({ doc, rows }) {
  const [order, setOrder] = useState({ by: /** @type {keyof Score | null} */ (null), down: false });
  const [metric, setMetric] = useState('');
  const metrics = useMemo(() => [...new Set(rows.map((one) => one.metric).filter(Boolean))], [rows]);
  const columns = COLUMNS.filter(({ name }) => ALWAYS.includes(name) || rows.some((one) => one[name] !== null && one[name] !== undefined));
  const shown = sorted(rows.filter((one) => !metric || one.metric === metric || !one.metric), order);
  const choose = (/** @type {keyof Score} */ by) => setOrder({ by, down: order.by === by ? !order.down : by === 'score' });
  return html`<section>
    <div class="tools">
      ${metrics.length > 1 && html`<label class="field"><span>Metric</span><select value=${metric} onChange=${(/** @type {any} */ event) => setMetric(event.currentTarget.value)}>
        <option value="">All ${metrics.length}</option>${metrics.map((name) => html`<option value=${name}>${name}</option>`)}
      </select></label>`}
      <button type="button" class="plain" onClick=${() => save(doc, columns)}>Download table</button>
    </div>
    <div class="scroll whole" tabindex="0" role="region" aria-label="Scores">
      <table class="scores">
        <caption class="aside">Scores of every method; the heads of columns sort</caption>
        <thead><tr>${columns.map((one) => html`<${Head} column=${one} order=${order} choose=${choose} />`)}</tr></thead>
        <tbody>${shown.map((one) => html`<tr>${columns.map((column) => html`<${Cell} row=${one} column=${column} rows=${rows} />`)}</tr>`)}</tbody>
      </table>
    </div>
    <${Better} rows=${rows} />
  </section>`;
}

/** @param {{ column: Column, order: { by: keyof Score | null, down: boolean }, choose: (by: keyof Score) => void }} props */
function Head({ column: { name, label, number }, order, choose }) {
  const here = order.by === name;
  return html`<th scope="col" class=${number ? 'number' : ''} aria-sort=${here ? (order.down ? 'descending' : 'ascending') : 'none'}>
    <button type="button" onClick=${() => choose(name)}>${label}<span aria-hidden="true">${here ? (order.down ? ' ↓' : ' ↑') : ' ↕'}</span></button>
  </th>`;
}

/** @param {{ row: Score, column: Column, rows: Score[] }} props */
function Cell({ row, column: { name, number }, rows }) {
  const value = row[name];
  if (row.reason && name === 'score') return html`<td colspan="2" class="warning" dir="auto">${row.reason}</td>`;
  if (row.reason && name === 'low') return null;
  if (name === 'low') return html`<td><${Interval} row=${row} rows=${rows} /></td>`;
  if (name === 'method') return html`<th scope="row" dir="auto">${value}</th>`;
  if (!number) return html`<td dir="auto">${value}</td>`;
  const fraction = name === 'score' || name === 'seconds';
  return html`<td class="number">${value === null || value === undefined ? '' : fraction ? figure(Number(value)) : String(value)}</td>`;
}

/** @param {{ rows: Score[] }} props */
function Better({ rows }) {
  const those = (/** @type {string} */ better) => [...new Set(rows.filter((one) => one.better === better).map((one) => one.metric))].join(', ');
  const [higher, lower] = [those('higher'), those('lower')];
  const marks = rows.some((one) => one.floor !== null && one.floor !== undefined);
  return html`<p class="faint">${higher && `Higher is better: ${higher}. `}${lower && `Lower is better: ${lower}. `}${marks && 'Thin marks: what random orders reach, and what the best order reaches.'}</p>`;
}

/** Rows without a value go last. @param {Score[]} rows @param {{ by: keyof Score | null, down: boolean }} order */
function sorted(rows, { by, down }) {
  if (!by) return rows;
  const sign = down ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [one, other] = [a[by] ?? null, b[by] ?? null];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return sign * (typeof one === 'number' && typeof other === 'number' ? one - other : String(one).localeCompare(String(other)));
  });
}

/** @param {Doc} doc @param {Column[]} columns */
function save(doc, columns) {
  const names = /** @type {(keyof Score)[]} */ ([...columns.map((one) => one.name).filter((name) => name !== 'low'), 'low', 'high', 'reason']);
  download(`${fileName(doc.title)}.csv`, `${[line(names), ...(doc.rows ?? []).map((row) => line(names.map((name) => row[name])))].join('\n')}\n`);
}
