import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { before } from './explain.js';
import { takeTable, takeText } from './intake.js';
import { input, model, question } from './state.js';

/** The class that an answer is about, so that an edited input is asked the same. @param {any} doc */
function sameTarget(doc) {
  const found = /(?:^| )(\d+)(?: "|$)/.exec(doc.layers[0].target);
  return question.value.target || (found && !doc.layers[0].contrast ? found[1] : '');
}

/** The text in a field; what it scores after a change is told beside what it scored before. @param {{ doc: any }} props */
export function Edit({ doc }) {
  const [text, setText] = useState(input.value?.text ?? '');
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim() || text === input.value?.text) return;
    before.value = { doc, says: 'Edited.' };
    void takeText(text, { target: sameTarget(doc) });
  };
  return html`<form class="writing" onSubmit=${send}><h2>Change the text</h2>
    <label class="field"><span>Edited text</span><textarea rows="3" dir="auto" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>
    <button type="submit" class="plain">Ask again</button></form>`;
}

/** The cells of the row that is explained; one that is changed is asked again. @param {{ doc: any }} props */
export function Cells({ doc }) {
  const table = /** @type {NonNullable<import('./state.js').Input['table']>} */ (input.value?.table);
  const row = question.value.row;
  const set = (/** @type {number} */ column) => (/** @type {any} */ event) => {
    const value = event.currentTarget.value;
    if (value === table.rows[row][column]) return;
    const rows = table.rows.map((cells, n) => (n === row ? cells.with(column, value) : cells));
    before.value = { doc, says: `${table.head[column]} changed to ${value}.` };
    void takeTable({ head: table.head, rows }, input.value?.name ?? 'table.csv', { target: sameTarget(doc) });
  };
  return html`<section class="cells"><h2>Change the row</h2><p class="faint">Enter asks again.</p><div class="fields">
    ${table.head.map((name, n) => {
      const values = model.value?.columns?.find((one) => one.name === name)?.values ?? [];
      return html`<label class="field"><span dir="auto">${name}</span>${values.length
        ? html`<select value=${table.rows[row]?.[n]} onChange=${set(n)}>${values.map((one) => html`<option value=${one} selected=${one === table.rows[row]?.[n]}>${one}</option>`)}</select>`
        : html`<input type="text" dir="auto" value=${table.rows[row]?.[n]} onChange=${set(n)} />`}</label>`;
    })}</div></section>`;
}
