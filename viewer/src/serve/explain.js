import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { figure } from '../data/numbers.js';
import { html } from '../html.js';
import { Page } from '../page.js';
import { markedTokens, tools } from '../settings.js';
import { Ask, Working } from './ask.js';
import { Cells, Edit } from './edit.js';
import { Intake, Rows } from './intake.js';
import { Marker, RegionPanel, clearMarks } from './region.js';
import { request } from './api.js';
import { about, compute, input, question } from './state.js';

/** What was answered last, and to what. @type {import('@preact/signals').Signal<{ id: string, doc: any, key: string } | null>} */
export const answer = signal(null);
/** The answer to the input before an edit, so that both can be compared. @type {import('@preact/signals').Signal<{ doc: any, says: string } | null>} */
export const before = signal(null);

/** Why this recommendation for this input. */
export function ExplainView() {
  const [one, asked] = [input.value, question.value];
  const key = JSON.stringify([one?.id, asked]);
  useEffect(() => {
    if (!one || answer.value?.key === key) return;
    clearMarks();
    markedTokens.value = one.kind === 'text' ? new Set() : null;
    void compute('Explaining', 'explanations', { ...about(), method: asked.method }).then((found) => found && (answer.value = { ...found, key }));
  }, [key]);
  useEffect(() => {
    tools.value = Marker;
    return () => void (tools.value = markedTokens.value = null);
  }, []);
  const shown = one ? answer.value : null;
  return html`<${Intake} />
    ${one && html`<${Ask} />`}
    ${one?.table && html`<${Rows} open=${asked.row} />`}
    <${Working} />
    ${shown && html`<div class="answer"><${Compared} doc=${shown.doc} /><${Page} key=${shown.id} doc=${shown.doc} />
      <${RegionPanel} />
      ${one?.kind === 'text' && html`<${Edit} doc=${shown.doc} />`}
      ${one?.table && html`<${Cells} doc=${shown.doc} />`}
      <p class="downloads"><${Download} id=${shown.id} name="report.html" label="Report (one file)" /> <${Download} id=${shown.id} name="values.safetensors" label="Values (safetensors)" /></p>
    </div>`}`;
}

/** What an edit changed. @param {{ doc: any }} props */
function Compared({ doc }) {
  const last = before.value;
  if (!last || last.doc === doc) return null;
  const [old, now] = [last.doc.layers[0], doc.layers[0]];
  const first = (/** @type {any} */ one) => (one.classes?.[0] ? one.classes[0].label || `class ${one.classes[0].index}` : '');
  const [was, is] = [first(last.doc), first(doc)];
  const difference = now.output - old.output;
  return html`<p class="compared" role="status" dir="auto"><strong>${last.says}</strong> ${now.target}: ${figure(old.output)} before, ${figure(now.output)} now, a difference of ${difference >= 0 ? '+' : ''}${figure(difference)}. ${was && (was === is ? `The prediction stays ${is}.` : `The prediction changes from ${was} to ${is}.`)}</p>`;
}

/** A link that fetches with the token, and saves. @param {{ id: string, name: string, label: string }} props */
function Download({ id, name, label }) {
  const save = async () => {
    const content = await (await request(`/v1/results/${id}/${name}`)).blob();
    const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(content), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  return html`<button type="button" class="plain" onClick=${save}>${label}</button>`;
}
