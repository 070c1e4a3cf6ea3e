import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { upload } from './api.js';
import { readTable, written } from './csv.js';
import { busy, change, clinic, failure, input, model, take } from './state.js';

/** What the server takes, by the end of a file's name. @type {Record<string, string>} */
const TYPES = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp', txt: 'text/plain', csv: 'text/csv', wav: 'audio/wav' };
const READS = /** @type {Record<string, { a: string, another: string, ends: string[], accept: string }>} */ ({
  picture: { a: 'a picture', another: 'Another picture', ends: ['jpg', 'jpeg', 'png', 'webp'], accept: 'JPEG, PNG or WebP' },
  text: { a: 'a text file', another: 'Another text', ends: ['txt'], accept: 'Plain text' },
  table: { a: 'a table', another: 'Another table', ends: ['csv'], accept: 'CSV with a line of column names' },
  sound: { a: 'a sound', another: 'Another sound', ends: ['wav'], accept: 'WAV' },
});
const ROWS = 50; // of a table, on the page
const LARGEST = 20e6; // bytes, as the server has it
const MB = 1e6;
const FRESH = { target: '', versus: '', row: 0 };

const reads = () => READS[model.value?.reads ?? ''];

/** Hands in what an input is made of, and takes it. @param {string} name @param {(signal: AbortSignal) => Promise<[import('./state.js').Input, Partial<import('./state.js').Question>]>} make */
async function given(name, make) {
  const made = await busy(`Handing in ${name}`, 'upload', (_, signal) => make(signal));
  if (made) take(...made);
}

/** Takes a file, whatever way it came. @param {File} file */
export function takeFile(file) {
  const end = file.name.split('.').at(-1)?.toLowerCase() ?? '';
  const type = TYPES[end] ?? file.type;
  const wrong = unfit(file, type);
  if (wrong) return void (failure.value = wrong);
  void given(file.name, async (signal) => {
    const [got, hash] = await Promise.all([upload(file, type, file.name, signal), clinic ? hashOf(file) : undefined]);
    const text = got.kind === 'text' || got.kind === 'table' ? await file.text() : '';
    const content = got.kind === 'table' ? { table: readTable(text) } : got.kind === 'text' ? { text } : {};
    return [{ id: got.input, kind: got.kind, name: file.name, rows: got.rows, hash, ...content }, FRESH];
  });
}

/** Why a file cannot be taken, in words. @param {File} file @param {string} type */
function unfit(file, type) {
  const known = reads();
  if (known && !known.ends.some((end) => TYPES[end] === type)) return `${file.name} is not ${known.a} that can be read here. This model reads ${known.accept}.`;
  if (!file.size) return `${file.name} is empty.`;
  return file.size > LARGEST ? `${file.name} has ${(file.size / MB).toFixed(1)} MB; at most ${LARGEST / MB} MB are taken.` : '';
}

/** SHA-256 of a file, where the browser computes it. @param {Blob} file */
async function hashOf(file) {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @typedef {import('./state.js').Before} Before */

/** Takes a text that was typed or edited. @param {string} text @param {Partial<import('./state.js').Question>} [changes] @param {Before} [before] */
export const takeText = (text, changes = FRESH, before) =>
  given('the text', async (signal) => {
    const got = await upload(new Blob([text]), 'text/plain', 'text', signal);
    return [{ id: got.input, kind: 'text', name: 'text', rows: null, text, before }, changes];
  });

/** Takes a table of which cells were edited. @param {{ head: string[], rows: string[][] }} table @param {string} name @param {Partial<import('./state.js').Question>} changes @param {Before} before */
export const takeTable = (table, name, changes, before) =>
  given('the table', async (signal) => {
    const got = await upload(new Blob([written(table)]), 'text/csv', name, signal);
    return [{ id: got.input, kind: 'table', name, rows: got.rows, table, before }, changes];
  });

/** Files that are dropped on the page or pasted into it. */
export function listenForInputs() {
  const over = (/** @type {boolean} */ is) => document.body.classList.toggle('over', is);
  document.addEventListener('dragover', (event) => (event.preventDefault(), over(true)));
  document.addEventListener('dragleave', (event) => !event.relatedTarget && over(false));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    over(false);
    if (event.dataTransfer) takeTransfer(event.dataTransfer);
  });
  document.addEventListener('paste', (event) => {
    const inField = /** @type {Element} */ (event.target).closest?.('input, textarea');
    if (event.clipboardData && (!inField || event.clipboardData.files.length)) takeTransfer(event.clipboardData);
  });
}

/** The one file that came, or the text. @param {DataTransfer} given */
function takeTransfer(given) {
  if (!reads()) return;
  const [first, ...others] = given.files;
  const text = given.getData('text/plain').trim();
  const many = others.length ? `${others.length + 1} files` : given.items[0]?.webkitGetAsEntry?.()?.isDirectory ? 'A folder' : '';
  if (many) failure.value = `${many} came, and one file at a time is explained here. For a whole folder: pellucid explain FOLDER.`;
  else if (first) takeFile(first);
  else if (text && model.value?.reads === 'text') void takeText(text);
  else if (/^(https?|file|data):/.test(text)) failure.value = 'An address came. This page fetches nothing from elsewhere: save the file, and drop it here.';
  else if (text) failure.value = `A text came, and this model reads ${reads().accept}.`;
}

/** Where an input is given: dropped, pasted, chosen or typed. */
export function Intake() {
  const known = reads();
  if (!known) return html`<p class="warning" role="alert">${model.value?.name} does not say how pictures, texts, rows or sounds become its input. Start the server with the options for that, such as --size, --mean and --std.</p>`;
  const now = input.value;
  return html`<section class=${now ? 'intake small' : 'intake'} aria-label="Input">
    ${model.value?.reads === 'text' && html`<${Writing} key=${now?.id} />`}
    ${now ? html`<div class="field now"><span>Input</span><div>${now.kind !== 'text' && html`<strong dir="auto" title=${now.name}>${now.name}</strong>`}<${FileButton} says=${known.another} known=${known} /></div></div>`
      : html`<div class="drop"><h1 class="big">Drop ${known.a} here</h1><${FileButton} says="Choose a file" known=${known} />
        <p class="faint">${known.accept}, up to ${LARGEST / MB} MB; pasting works, too. ${clinic ? 'It is forgotten when this page closes.' : 'It stays on this machine.'}</p></div>`}
  </section>`;
}

/** @param {{ says: string, known: { ends: string[] } }} props */
function FileButton({ says, known }) {
  const choose = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.currentTarget);
    if (field.files?.[0]) takeFile(field.files[0]);
    field.value = '';
  };
  return html`<label class="file"><input type="file" accept=${known.ends.map((end) => `.${end}`).join(',')} onChange=${choose} aria-label="Choose a file" /><span aria-hidden="true">${says}</span></label>`;
}

function Writing() {
  const [text, setText] = useState(input.value?.text ?? '');
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim()) void takeText(text);
    else failure.value = 'There is no text in the field.';
  };
  return html`<form class="writing" onSubmit=${send}>
    <label class="field"><span>Text</span><textarea rows=${input.value ? 2 : 5} dir="auto" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>
    <button type="submit" class="main">Explain</button>
  </form>`;
}

/** The rows of a table that were given; one of them is explained. @param {{ open: number }} props */
export function Rows({ open }) {
  const table = input.value?.table;
  if (!table) return null;
  return html`<div class="scroll rows" tabindex="0" role="region" aria-label="Rows of the table"><table>
    <thead><tr><th scope="col">Row</th>${table.head.map((name) => html`<th scope="col" dir="auto">${name}</th>`)}</tr></thead>
    <tbody>${table.rows.slice(0, ROWS).map((row, n) => html`<tr class=${n === open ? 'chosen' : ''}>
      <td><button type="button" class="plain" aria-pressed=${String(n === open)} onClick=${() => change({ row: n })}>${n}</button></td>
      ${row.map((cell) => html`<td dir="auto">${cell}</td>`)}
    </tr>`)}</tbody>
  </table>${table.rows.length > ROWS && html`<p class="faint">The first ${ROWS} of ${table.rows.length.toLocaleString('en')} rows.</p>`}</div>`;
}
