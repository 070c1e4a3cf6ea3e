import { html } from '../html.js';
import { DataTable } from './data-table.js';

/** @typedef {import('../types.js').Figure} Figure */

/** A drawing as an address: as an image it can run nothing and style nothing but itself. @param {Figure} figure */
const addressOf = (figure) => figure.src ?? (figure.svg ? `data:image/svg+xml;charset=utf-8,${encodeURIComponent(figure.svg)}` : null);

/** Figures of any result, each with its sentence and its table. @param {{ figures: Figure[], open?: boolean }} props `open`: whether tables without a drawing are unfolded. */
export function Figures({ figures, open = true }) {
  return figures.map((one) => {
    const src = addressOf(one);
    return html`<figure class="generic">
      ${one.title && html`<h2 class="minor" dir="auto">${one.title}</h2>`}
      ${src && html`<img src=${src} alt=${one.alt || one.caption || one.title} />`}
      ${one.caption && html`<figcaption dir="auto">${one.caption}</figcaption>`}
      ${one.table && one.table.rows.length > 0 && html`<${DataTable} title=${src ? 'The numbers of this figure' : one.title || 'The whole table in words'} table=${one.table} open=${open && !src} />`}
    </figure>`;
  });
}
