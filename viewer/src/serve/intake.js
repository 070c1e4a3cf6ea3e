import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { upload } from './api.js';
import { change, failure, input, model, take, wordsOf } from './state.js';

/** What the server takes, by the end of a file's name. @type {Record<string, string>} */
const TYPES = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp', txt: 'text/plain', csv: 'text/csv', wav: 'audio/wav' };
const READS = /** @type {Record<string, { what: string, accept: string }>} */ ({
  picture: { what: 'a picture', accept: '.jpg,.jpeg,.png,.webp' },
  text: { what: 'a text', accept: '.txt' },
  table: { what: 'a table (CSV)', accept: '.csv' },
  sound: { what: 'a sound (WAV)', accept: '.wav' },
});
const ROWS = 50; // of a table, on the page
const LARGEST = 20e6; // bytes, as the server has it

/** Takes a file, whatever way it came. @param {File} file */
export async function takeFile(file) {
  const type = TYPES[file.name.split('.').at(-1)?.toLowerCase() ?? ''] ?? file.type;
  if (file.size > LARGEST) return void (failure.value = `${file.name} has ${(file.size / 1e6).toFixed(1)} MB; an upload has at most ${LARGEST / 1e6} MB.`);
  try {
    const got = await upload(file, type, file.name);
    const table = got.kind === 'table' ? readTable(await file.text()) : undefined;
    const text = got.kind === 'text' ? await file.text() : undefined;
    take({ id: got.input, kind: got.kind, name: file.name, rows: got.rows, text, table }, { target: '', versus: '', row: 0 });
    failure.value = '';
  } catch (error) {
    failure.value = wordsOf(error);
  }
}

/** Takes a text that was typed or edited. @param {string} text @param {object} [changes] */
export async function takeText(text, changes = { target: '', versus: '' }) {
  try {
    const got = await upload(new Blob([text]), 'text/plain', 'text');
    take({ id: got.input, kind: 'text', name: 'text', rows: null, text }, changes);
    failure.value = '';
  } catch (error) {
    failure.value = wordsOf(error);
  }
}

/** Takes a table of which cells were edited. @param {{ head: string[], rows: string[][] }} table @param {string} name @param {object} changes */
export async function takeTable(table, name, changes) {
  const quoted = (/** @type {string} */ cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const csv = [table.head, ...table.rows].map((row) => row.map(quoted).join(',')).join('\n');
  try {
    const got = await upload(new Blob([csv]), 'text/csv', name);
    take({ id: got.input, kind: 'table', name, rows: got.rows, table }, changes);
  } catch (error) {
    failure.value = wordsOf(error);
  }
}

/** The cells of a CSV: quotes, commas and line ends inside quotes. @param {string} text */
export function readTable(text) {
  /** @type {string[][]} */
  const rows = [[]];
  let [cell, quoted] = ['', false];
  const end = () => (rows[rows.length - 1].push(cell), (cell = ''));
  for (let n = 0; n < text.length; n++) {
    const letter = text[n];
    if (quoted && letter === '"' && text[n + 1] === '"') (cell += '"'), n++;
    else if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === ',') end();
    else if (!quoted && (letter === '\n' || letter === '\r')) {
      if (letter === '\r' && text[n + 1] === '\n') n++;
      end();
      rows.push([]);
    } else cell += letter;
  }
  end();
  const [head, ...body] = rows.filter((row) => row.some((one) => one !== ''));
  return { head: (head ?? []).map((one) => one.trim()), rows: body };
}

/** Files that are dropped on the page or pasted into it. */
export function listenForInputs() {
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) void takeFile(file);
  });
  document.addEventListener('paste', (event) => {
    const file = event.clipboardData?.files[0];
    const text = event.clipboardData?.getData('text/plain');
    const inField = /** @type {Element} */ (event.target).closest?.('input, textarea');
    if (file) void takeFile(file);
    else if (text && !inField && model.value?.reads === 'text') void takeText(text);
  });
}

/** Where an input is given: dropped, pasted, chosen or typed. */
export function Intake() {
  const reads = READS[model.value?.reads ?? ''];
  if (!reads) return html`<p class="warning">${model.value?.name} does not say how pictures, texts, rows or sounds become its input. Start the server with --size, --mean and --std, --columns or --signal.</p>`;
  const choose = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.currentTarget);
    if (field.files?.[0]) void takeFile(field.files[0]);
    field.value = '';
  };
  return html`<section class=${`intake ${input.value ? 'small' : ''}`} aria-label="Input">
    ${model.value?.reads === 'text' && html`<${Writing} />`}
    <label class="drop"><span><strong>${input.value ? 'Another input' : `Drop ${reads.what}`}</strong>, paste it, or choose a file</span>
      <input type="file" accept=${reads.accept} onChange=${choose} aria-label="Choose a file" /></label>
    ${input.value && html`<p class="faint" dir="auto">Now: ${input.value.name}</p>`}
  </section>`;
}

function Writing() {
  const [text, setText] = useState(input.value?.text ?? '');
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim()) void takeText(text);
  };
  return html`<form class="writing" onSubmit=${send}>
    <label class="field"><span>Text</span><textarea rows="3" dir="auto" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>
    <button type="submit" class="plain">Explain</button>
  </form>`;
}

/** The rows of a table that were given; one of them is explained. @param {{ open: number }} props */
export function Rows({ open }) {
  const table = input.value?.table;
  if (!table) return null;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Rows of the table"><table>
    <thead><tr><th scope="col">Row</th>${table.head.map((name) => html`<th scope="col" dir="auto">${name}</th>`)}</tr></thead>
    <tbody>${table.rows.slice(0, ROWS).map((row, n) => html`<tr class=${n === open ? 'chosen' : ''}>
      <td><button type="button" class="plain" aria-pressed=${String(n === open)} onClick=${() => change({ row: n })}>${n}</button></td>
      ${row.map((cell) => html`<td dir="auto">${cell}</td>`)}
    </tr>`)}</tbody>
  </table>${table.rows.length > ROWS && html`<p class="faint">The first ${ROWS} of ${table.rows.length} rows.</p>`}</div>`;
}
