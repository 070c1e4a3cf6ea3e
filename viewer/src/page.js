import { CaseApp } from './case/case.js';
import { html } from './html.js';
import { PortraitsApp } from './kinds/portraits.js';
import { SectionsApp } from './kinds/sections.js';

/** What paints each kind of document; app.js and audit/kinds.js add what reports can hold besides. @type {Record<string, any>} */
export const KINDS = { case: CaseApp, maximize: PortraitsApp, examples: PortraitsApp };

/** A document of any kind; of an unknown one, what all kinds have. @param {{ doc: import('./types.js').Doc, base?: string }} props `base`: the address of this page, in a report of several. */
export function Page({ doc, base }) {
  return html`<${KINDS[doc.kind] ?? SectionsApp} doc=${doc} base=${base} />`;
}
