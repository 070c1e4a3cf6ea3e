import { html } from '../html.js';
import { Plain } from '../parts/data-table.js';
import { Figures } from '../parts/figures.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { names } from '../parts/names.js';

/** Tables in words: a card, a verification, a document of a kind that this viewer does not know. @param {{ doc: import('../types.js').Doc }} props */
export function SectionsApp({ doc }) {
  return html`<article class="tables">
    <header><h1 dir="auto">${names(doc.title)}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${doc.notes} /></header>
    ${(doc.sections ?? []).map(
      (one) => html`<section><h2 dir="auto">${one.title}</h2><div class="scroll whole" tabindex="0" role="region" aria-label=${one.title || doc.title}><${Plain} table=${one} caption=${one.title} /></div></section>`,
    )}
    <${Figures} figures=${doc.figures ?? []} />
    <${Repeat} doc=${doc} />
  </article>`;
}
