import { html } from '../html.js';
import { Page } from '../page.js';
import { DataTable } from '../parts/data-table.js';
import { card, methods, model } from './state.js';

/** What the model is, and what works on it. */
export function ModelView() {
  const one = model.value;
  if (!one || !card.value) return html`<p role="status">The network is being looked at.</p>`;
  const rows = methods.value.map((each) => [each.name, each.works ? 'yes' : 'no', each.reason || each.summary]);
  return html`${card.value.card ? html`<${Page} doc=${card.value.card} />` : html`<header><h1>${one.name}</h1><p class="warning" dir="auto">${card.value.reason}</p></header>`}
    <${DataTable} title="Methods" table=${{ head: ['Method', 'Works here', 'Why not, or what it claims'], rows }} />
    <p class="faint">pellucid ${one.version}${one.fingerprint ? `, sha256 of the model ${one.fingerprint}` : ''}</p>`;
}
