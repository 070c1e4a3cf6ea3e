import { html } from '../html.js';

/** @typedef {import('../types.js').DataTable} Table */

const MOST = 500; // rows on the page; all of them are in the downloads

/** The numbers behind a figure, folded. @param {{ title: string, table: Table, open?: boolean }} props */
export function DataTable({ title, table, open = false }) {
  return html`<details class="data" open=${open}>
    <summary>${title}</summary>
    <div class="scroll" tabindex="0" role="region" aria-label=${title}><${Plain} table=${table} caption=${title} /></div>
  </details>`;
}

/** @param {{ table: Table, caption?: string }} props */
export function Plain({ table, caption }) {
  const numeric = table.head.map((_, n) => table.rows.length > 0 && table.rows.every((row) => /^[+−-]?[\d.]+(e[+−-]?\d+)?( %)?$|^$/.test(row[n] ?? '')));
  return html`<table>
    ${caption && html`<caption class="aside">${caption}</caption>`}
    <thead><tr>${table.head.map((name, n) => html`<th scope="col" class=${numeric[n] ? 'number' : ''}>${name}</th>`)}</tr></thead>
    <tbody>
      ${table.rows.slice(0, MOST).map((row) => html`<tr>${row.map((cell, n) => html`<td dir="auto" class=${numeric[n] ? 'number' : ''}>${cell}</td>`)}</tr>`)}
      ${table.rows.length > MOST && html`<tr><td colspan=${table.head.length}>The first ${MOST} of ${table.rows.length} rows.</td></tr>`}
    </tbody>
  </table>`;
}
