import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { figure } from '../data/numbers.js';
import { html } from '../html.js';
import { Page } from '../page.js';
import { markedTokens, tools } from '../settings.js';
import { Ask } from './ask.js';
import { Download } from './download.js';
import { Cells, Edit } from './edit.js';
import { Intake, Rows } from './intake.js';
import { Marker, RegionPanel, clearMarks } from './region.js';
import { AllRows } from './rows.js';
import { about, asked, change, compute, input, question, tries, typed, work } from './state.js';

const SETTLED = 120; // milliseconds: who steps through a list by keys passes by many questions

/** What was answered last, and to what. @type {import('@preact/signals').Signal<{ id: string, doc: any, key: string, input: string } | null>} */
export const answer = signal(null);

/** Why this recommendation for this input. */
export function ExplainView() {
  const [one, key] = [input.value, asked.value];
  const coming = work.value?.kind === 'upload'; // another input, which is not to be interrupted, not even before this view knows of it
  useEffect(() => {
    if (!one || coming || answer.value?.key === key) return;
    const timer = setTimeout(() => work.value?.kind !== 'upload' && explain(one, key), answer.value?.input === one.id ? SETTLED : 0);
    return () => clearTimeout(timer);
  }, [key, coming, tries.value]);
  useEffect(() => {
    tools.value = { Marker, Panel: RegionPanel, choose: (found) => change({ target: typed(found) }) };
    return () => void (tools.value = markedTokens.value = null);
  }, []);
  const shown = answer.value?.input === one?.id ? answer.value : null;
  const late = shown && shown.key !== key;
  return html`<div class="bar"><${Intake} />${one && html`<${Ask} />`}</div>
    ${one?.table && html`<${Rows} open=${question.value.row} />${shown && html`<${Cells} doc=${shown.doc} />`}`}
    ${shown ? html`<div class=${late ? 'answer late' : 'answer'} aria-busy=${String(Boolean(late && work.value))}>
      <${Compared} doc=${shown.doc} /><${Page} key=${shown.id} doc=${shown.doc} />
      ${one?.kind === 'text' && html`<${Edit} key=${one.id} doc=${shown.doc} />`}
      ${one?.table && html`<${AllRows} />`}
      <section class="downloads" aria-label="Save"><${Download} path=${`/v1/results/${shown.id}/report.html`} label="Report (one file)" /> <${Download} path=${`/v1/results/${shown.id}/values.safetensors`} label="Values (safetensors)" /></section>
    </div>` : one && html`<div class="waiting"><h1 class="aside" dir="auto">${one.name}</h1></div>`}`;
}

/** @param {import('./state.js').Input} one @param {string} key */
async function explain(one, key) {
  clearMarks();
  markedTokens.value = one.kind === 'text' ? new Set() : null;
  const found = await compute('Explaining', 'explanations', { ...about(), method: question.value.method }, 'answer');
  if (found && asked.value === key) answer.value = { ...found, key, input: one.id };
}

/** What an edit changed. @param {{ doc: any }} props */
function Compared({ doc }) {
  const last = input.value?.before;
  const [old, now] = [last?.doc.layers[0], doc.layers[0]];
  useEffect(() => document.querySelector('.compared')?.scrollIntoView({ block: 'nearest' }), [doc]);
  if (!last || old.method !== now.method || old.target !== now.target) return null;
  const first = (/** @type {any} */ one) => (one.classes?.[0] ? one.classes[0].label || `class ${one.classes[0].index}` : '');
  const [was, is] = [first(last.doc), first(doc)];
  const difference = now.output - old.output;
  return html`<p class="compared" role="status" dir="auto"><strong>${last.says}</strong> ${now.target}: ${figure(old.output)} before, ${figure(now.output)} now, a difference of ${difference >= 0 ? '+' : ''}${figure(difference)}. ${was && (was === is ? html`The prediction stays <bdi>${is}</bdi>.` : html`The prediction changes from <bdi>${was}</bdi> to <bdi>${is}</bdi>.`)}</p>`;
}
