import { html } from '../html.js';
import { Help } from '../parts/help.js';
import { announcement, help } from '../settings.js';
import { Working } from './ask.js';
import { ClinicView } from './clinic.js';
import { CompareView } from './compare.js';
import { ExplainView } from './explain.js';
import { ModelView } from './model.js';
import { AuditsView, EvaluationsView, runs } from './runs.js';
import { failure, linkTo, model, route } from './state.js';
import { UnitsView } from './units.js';

/** @type {Record<string, any>} */
const VIEWS = { '': ExplainView, compare: CompareView, units: UnitsView, audit: AuditsView, evaluation: EvaluationsView, model: ModelView };
const LINKS = [['', 'Explain'], ['compare', 'Compare'], ['units', 'Units'], ['audit', 'Audit'], ['evaluation', 'Evaluation'], ['model', 'Model']];
/** Links to stores are there when the operator opened some. @param {string} key */
const there = (key) => !['audit', 'evaluation'].includes(key) || runs.value.some((one) => one.kind === key);

/** The whole page. */
export function ServeApp() {
  const clinic = document.body.dataset.profile === 'clinic';
  const name = route.value[0] ?? '';
  const View = clinic && !name ? ClinicView : (VIEWS[name] ?? Nowhere);
  return html`<nav class="top" aria-label="Views">
      ${LINKS.filter(([key]) => there(key) && (!clinic || key !== 'units')).map(([key, label]) => html`<a href=${key ? linkTo(key) : '#/'} aria-current=${key === name ? 'page' : undefined}>${label}</a>`)}
      <span class="faint" dir="auto">${model.value?.name ?? ''}</span>
    </nav>
    ${model.value ? html`<${View} />` : failure.value ? html`<${Working} />` : html`<p role="status">The model is being loaded.</p>`}
    <footer><span>pellucid</span><button type="button" class="plain" aria-keyshortcuts="?" onClick=${() => (help.value = true)}>Keys</button></footer>
    <p class="aside" role="status">${announcement.value}</p>
    <${Help} />`;
}

function Nowhere() {
  return html`<header><h1>There is no such view</h1><p><a href="#/">Explain an input</a></p></header>`;
}
