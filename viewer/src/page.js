import { CaseApp } from './case/case.js';
import { html } from './html.js';
import { ConceptsApp } from './kinds/concepts.js';
import { PortraitsApp } from './kinds/portraits.js';
import { ReportApp } from './kinds/report.js';
import { SectionsApp } from './kinds/sections.js';

/** What paints each kind of document; audit/kinds.js adds those of many items. @type {Record<string, any>} */
export const KINDS = { case: CaseApp, concepts: ConceptsApp, maximize: PortraitsApp, examples: PortraitsApp, report: ReportApp };

/** A document of any kind; of an unknown one, what all kinds have. @param {{ doc: import('./types.js').Doc, base?: string }} props `base`: the address of this page, in a report of several. */
export function Page({ doc, base }) {
  return html`<${KINDS[doc.kind] ?? SectionsApp} doc=${doc} base=${base} />`;
}
