import { BODIES } from './case/bodies.js';
import { GeneratedCase } from './case/generated.js';
import { InputsCase } from './case/inputs.js';
import { html } from './html.js';
import { ConceptsApp } from './kinds/concepts.js';
import { ReportApp } from './kinds/report.js';
import { KINDS, Page } from './page.js';
import { Help } from './parts/help.js';
import { announcement, help } from './settings.js';

Object.assign(BODIES, { generated: GeneratedCase, inputs: InputsCase });
Object.assign(KINDS, { concepts: ConceptsApp, report: ReportApp });

/** @param {{ doc: import('./types.js').Doc }} props */
export function App({ doc }) {
  return html`<${Page} doc=${doc} />
    <footer>
      <span>pellucid</span>
      <button type="button" class="plain" aria-keyshortcuts="?" onClick=${() => (help.value = true)}>Keys</button>
    </footer>
    <p class="aside" role="status">${announcement.value}</p>
    <${Help} />`;
}
