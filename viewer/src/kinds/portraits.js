import { figure } from '../data/numbers.js';
import { html } from '../html.js';
import { DataTable } from '../parts/data-table.js';
import { Figures } from '../parts/figures.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { names } from '../parts/names.js';

/** @typedef {import('../types.js').Doc} Doc */
/** @typedef {import('../types.js').Portrait} Portrait */

/** Pictures that excite units: those that were made beside real ones. @param {{ doc: Doc }} props */
export function PortraitsApp({ doc }) {
  const [images, real] = [doc.images ?? [], doc.real ?? []];
  const groups = [...new Set([...images, ...real].map((one) => one.group))];
  return html`<article class="portraits">
    <header><h1 dir="auto">${names(doc.title)}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${doc.notes} /></header>
    ${groups.map((group) => html`<${Group} key=${group} name=${group} made=${images.filter((one) => one.group === group)} found=${real.filter((one) => one.group === group)} />`)}
    <${DataTable} title="Scores as a table" table=${{ head: ['Of', 'Kind', 'Picture', 'Score'], rows: [...lines(images, 'made'), ...lines(real, 'real')] }} />
    <${Figures} figures=${doc.figures ?? []} />
    <${Repeat} doc=${doc} />
  </article>`;
}

/** @param {Portrait[]} list @param {string} kind */
const lines = (list, kind) => list.map((one) => [one.group, kind, one.caption, one.score === null ? '' : figure(one.score)]);

/** @param {{ name: string, made: Portrait[], found: Portrait[] }} props */
function Group({ name, made, found }) {
  const both = made.length > 0 && found.length > 0;
  return html`<section class="group">
    ${name && html`<h2 dir="auto">${name}</h2>`}
    <div class=${both ? 'pair' : ''}>
      ${made.length > 0 && html`<${Gallery} title=${both ? 'Made to excite it' : ''} items=${made} />`}
      ${found.length > 0 && html`<${Gallery} title=${both ? 'Real pictures that excite it' : ''} items=${found} small=${both} />`}
    </div>
  </section>`;
}

/** @param {{ title: string, items: Portrait[], small?: boolean }} props */
function Gallery({ title, items, small = false }) {
  return html`<div>
    ${title && html`<p class="name">${title}</p>`}
    <div class=${`gallery ${small ? 'small' : ''} ${items.length === 1 ? 'single' : ''}`}>
      ${items.map(
        (one) => html`<figure><img src=${one.src} alt=${one.caption || one.group} />
          <figcaption><span dir="auto">${one.caption}</span>${one.score !== null && html`<span class="number">${figure(one.score)}</span>`}</figcaption></figure>`,
      )}
    </div>
  </div>`;
}
