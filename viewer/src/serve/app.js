import { html } from '../html.js';
import { Help } from '../parts/help.js';
import { announcement, help } from '../settings.js';
import { Working } from './ask.js';
import { ClinicView } from './clinic.js';
import { CompareView } from './compare.js';
import { ExplainView } from './explain.js';
import { ModelView } from './model.js';
import { AuditsView, EvaluationsView, runs } from './runs.js';
import { clinic, failure, linkTo, model, route } from './state.js';
import { UnitsView } from './units.js';

/** Whether the operator opened a store of a kind. @param {string} kind */
const holds = (kind) => runs.value.some((one) => one.kind === kind);

/**
 * The views by the first part of the address, in the order of their links. `when`: whether there is anything for it to show.
 *
 * @type {{ name: string, label: string, View: any, when?: () => boolean }[]}
 */
const VIEWS = [
  { name: '', label: 'Explain', View: clinic ? ClinicView : ExplainView },
  { name: 'compare', label: 'Compare', View: CompareView, when: () => !clinic },
  { name: 'units', label: 'Units', View: UnitsView, when: () => !clinic },
  { name: 'audit', label: 'Audit', View: AuditsView, when: () => holds('audit') },
  { name: 'evaluation', label: 'Evaluation', View: EvaluationsView, when: () => holds('evaluation') },
  { name: 'model', label: 'Model', View: ModelView },
];

/** The whole page. */
export function ServeApp() {
  const name = route.value[0] ?? '';
  const views = VIEWS.filter(({ when }) => !when || when());
  const View = views.find((one) => one.name === name)?.View ?? Nowhere;
  return html`<nav class="top" aria-label="Views">
      ${views.map((one) => html`<a href=${one.name ? linkTo(one.name) : '#/'} aria-current=${one.name === name ? 'page' : undefined}>${one.label}</a>`)}
      <span class="faint" dir="auto">${model.value?.name ?? ''}</span>
    </nav>
    <div class="view">${model.value ? html`<${View} />` : !failure.value && html`<p class="faint" role="status">The model is being loaded.</p>`}</div>
    <footer><span>pellucid ${model.value?.version ?? ''}</span><button type="button" class="plain" aria-keyshortcuts="?" onClick=${() => (help.value = true)}>Keys</button></footer>
    <p class="aside" role="status">${announcement.value}</p>
    <${Working} />
    <${Help} />`;
}

function Nowhere() {
  return html`<header><h1>There is no such view</h1><p><a href="#/">Explain an input</a></p></header>`;
}
