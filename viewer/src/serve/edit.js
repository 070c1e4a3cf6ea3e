import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { takeTable, takeText } from './intake.js';
import { classOf, input, model, question } from './state.js';

/** The class that an answer is about, so that an edited input is asked the same. @param {any} doc */
function sameTarget(doc) {
  const { target, contrast } = doc.layers[0];
  return question.value.target || contrast ? question.value.target : classOf(target);
}

/** The text in a field; what it scores after a change is told beside what it scored before. @param {{ doc: any }} props */
export function Edit({ doc }) {
  const [text, setText] = useState(input.value?.text ?? '');
  const same = !text.trim() || text === input.value?.text;
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!same) void takeText(text, { target: sameTarget(doc) }, { doc, says: 'Edited.' });
  };
  return html`<form class="writing" onSubmit=${send}><h2>Change the text</h2>
    <label class="field"><span>Edited text</span><textarea rows="3" dir="auto" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>
    <button type="submit" class="plain" disabled=${same}>Ask again</button></form>`;
}

/** The cells of the row that is explained; one that is changed is asked again. @param {{ doc: any }} props */
export function Cells({ doc }) {
  const table = /** @type {NonNullable<import('./state.js').Input['table']>} */ (input.value?.table);
  const row = question.value.row;
  const set = (/** @type {number} */ column) => (/** @type {any} */ event) => {
    const value = event.currentTarget.value;
    if (value === table.rows[row]?.[column]) return;
    const rows = table.rows.map((cells, n) => (n === row ? table.head.map((_, at) => (at === column ? value : (cells[at] ?? ''))) : cells));
    void takeTable({ head: table.head, rows }, input.value?.name ?? 'table.csv', { target: sameTarget(doc) }, { doc, says: `${table.head[column]} changed to ${value}.` });
  };
  return html`<section class="cells"><h2>Change row ${row}</h2><div class="fields">
    ${table.head.map((name, n) => {
      const column = model.value?.columns?.find((one) => one.name === name);
      const value = table.rows[row]?.[n] ?? '';
      return html`<label class="field"><span dir="auto">${name}${column?.unit ? ` (${column.unit})` : ''}</span>${column?.values.length
        ? html`<select value=${value} onChange=${set(n)}>${column.values.map((one) => html`<option value=${one} selected=${one === value}>${one}</option>`)}</select>`
        : html`<input type="text" dir="auto" value=${value} onChange=${set(n)} />`}</label>`;
    })}</div></section>`;
}
