import { CaseApp } from './case/case.js';
import { html } from './html.js';
import { Figures } from './parts/figures.js';
import { Help } from './parts/help.js';
import { Repeat } from './parts/repeat.js';
import { Words } from './parts/words.js';
import { announcement, help } from './settings.js';

/** @typedef {import('./types.js').Doc} Doc */

/** @type {Record<string, any>} */
export const KINDS = { case: CaseApp };

/** A document of any kind; of an unknown one, what all kinds have. @param {{ doc: Doc }} props */
export function Page({ doc }) {
  const Kind = KINDS[doc.kind] ?? Plain;
  return html`<${Kind} doc=${doc} />`;
}

/** @param {{ doc: Doc }} props */
function Plain({ doc }) {
  return html`<article>
    <header><h1 dir="auto">${doc.title}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${doc.notes} /></header>
    <${Figures} figures=${doc.figures ?? []} />
    <${Repeat} doc=${doc} />
  </article>`;
}

/** @param {{ doc: Doc }} props */
export function App({ doc }) {
  return html`<${Page} doc=${doc} />
    <footer>
      <span>pellucid</span>
      <button type="button" class="plain" aria-keyshortcuts="?" onClick=${() => (help.value = true)}>Keys</button>
    </footer>
    <p class="aside" role="status">${announcement.value}</p>
    <${Help} />`;
}
