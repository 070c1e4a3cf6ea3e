import { signal } from '@preact/signals';
import { figure } from '../data/numbers.js';
import { useRoving } from '../hooks.js';
import { html } from '../html.js';
import { DataTable } from '../parts/data-table.js';
import { ask } from './api.js';
import { about, busy, change, input, question, work } from './state.js';

/** @typedef {{ row: number, output: number, target: string, values: Map<string, number> }} Told What one row's columns add. */

const ROWS = 50; // explained at once

/** @type {import('@preact/signals').Signal<{ key: string, told: Told[] } | null>} */
const found = signal(null);

/** What is asked about all rows alike. */
const common = () => JSON.stringify([input.value?.id, { ...question.value, row: 0 }]);

/** Explains the rows one by one; where no class was named, every row about the one it is predicted as. */
async function explainAll() {
  const rows = Math.min(ROWS, input.value?.rows ?? 0);
  const key = common();
  const told = await busy('Explaining the rows', 'rows', async (tell, signal) => {
    const list = [];
    for (let row = 0; row < rows && !signal.aborted; row++) {
      tell({ done: row, total: rows, what: 'rows' });
      list.push(toldBy(row, (await ask('explanations', { ...about({ row }), method: question.value.method }, undefined, signal)).doc));
    }
    return list;
  });
  if (told) found.value = { key, told };
}

/** @param {number} row @param {any} doc @returns {Told} */
function toldBy(row, doc) {
  const layer = doc.layers[0];
  const steps = (layer.columns?.steps ?? []).filter((/** @type {any} */ one) => one.kind === 'column');
  return { row, output: layer.output, target: layer.target, values: new Map(steps.map((/** @type {any} */ one) => [one.name, one.stop - one.start])) };
}

/** What the columns add in all rows; a dot opens its row. */
export function AllRows() {
  const rows = input.value?.rows ?? 0;
  if (rows < 2) return null;
  const now = found.value?.key === common() ? found.value : null;
  return html`<section class="all-rows"><h2>All rows</h2>
    <p class="faint">${rows > ROWS ? `The first ${ROWS} of ${rows.toLocaleString('en')} rows` : `All ${rows} rows`}, every one about ${question.value.target ? 'the class above' : 'the class it is predicted as'}.</p>
    ${!now && html`<button type="button" class="plain" disabled=${work.value?.kind === 'answer'} onClick=${explainAll}>Explain all rows</button>`}
    ${now && html`<${Spread} told=${now.told} />`}
  </section>`;
}

/** A line per column, a dot per row. @param {{ told: Told[] }} props */
function Spread({ told }) {
  const sizes = new Map();
  for (const { values } of told) for (const [name, value] of values) sizes.set(name, (sizes.get(name) ?? 0) + Math.abs(value));
  const names = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a));
  const most = Math.max(...told.flatMap(({ values }) => [...values.values()].map(Math.abs)), 1e-300);
  const table = { head: ['Row', 'Target', 'Score', ...names], rows: told.map((one) => [String(one.row), one.target, figure(one.output), ...names.map((name) => figure(one.values.get(name) ?? 0))]) };
  return html`<p class="faint">A dot is a row: to the right it speaks for, to the left against, up to ±${figure(most)}. Choose one to see it.</p>
    <div class="spread">${names.map((name) => html`<${Column} key=${name} name=${name} told=${told} most=${most} />`)}
    </div>
    <${DataTable} title="What every column adds, row by row" table=${table} />`;
}

/** @param {{ name: string, told: Told[], most: number }} props */
function Column({ name, told, most }) {
  const dots = told.filter((one) => one.values.has(name)).sort((a, b) => (a.values.get(name) ?? 0) - (b.values.get(name) ?? 0));
  const roving = useRoving(dots.length);
  return html`<div class="column"><span class="name" dir="auto">${name}</span>
    <div class="dots" role="group" aria-label=${`${name}: a dot per row`} data-roving>${dots.map((one, n) => {
      const value = one.values.get(name) ?? 0;
      return html`<button type="button" key=${one.row} class=${`dot ${value < 0 ? 'fall' : 'rise'}`} aria-pressed=${String(one.row === question.value.row)}
        aria-label=${`Row ${one.row}: ${figure(value)}`} title=${`Row ${one.row}: ${figure(value)}`} style=${{ left: `${50 + (48 * value) / most}%` }}
        onClick=${() => change({ row: one.row })} ...${roving.props(n)} />`;
    })}</div></div>`;
}
