import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { again, change, failure, methods, model, past, question, undo, work } from './state.js';

/** The questions that can be asked: method, class, and what it is compared with. @param {{ method?: boolean }} props */
export function Ask({ method = true }) {
  const chosen = methods.value.find((one) => one.name === question.value.method);
  return html`<section class="ask" aria-label="Question">
    <div class="fields">
      ${method && html`<${MethodSelect} />`}
      <${ClassField} label="Target" name="target" hint="predicted class" />
      <${ClassField} label="Compare with" name="versus" hint="no other" />
      <button type="button" class="plain undo" disabled=${!past.value.length} aria-keyshortcuts="Control+Z" onClick=${undo}>Undo</button>
    </div>
    ${method && chosen && html`<p class="faint">${sentence(chosen)}</p>`}
  </section>`;
}

/** What a method costs and can tell; what it claims stands with its answer. @param {import('./state.js').Method} one */
function sentence({ repeats, signed, reason, paper, year }) {
  const cost = repeats ? 'It runs the network many times' : 'It takes a few runs of the network';
  return `${paper} ${year}. ${cost}, and tells ${signed ? 'for from against' : 'how much, not for or against'}. ${reason}`;
}

function MethodSelect() {
  const families = [...new Set(methods.value.map((one) => one.family))];
  const pick = (/** @type {any} */ event) => change({ method: event.currentTarget.value });
  return html`<label class="field"><span>Method</span><select value=${question.value.method} onChange=${pick}>
    ${!families.length && html`<option value=${question.value.method}>${question.value.method}</option>`}
    ${families.map((family) => html`<optgroup label=${family}>${methods.value
      .filter((one) => one.family === family)
      .map((one) => html`<option value=${one.name} disabled=${!one.works} selected=${one.name === question.value.method}>${one.name}${one.works ? '' : ' (not here)'}</option>`)}</optgroup>`)}
  </select></label>`;
}

/** A class by name or number; the names are offered. @param {{ label: string, name: 'target' | 'versus', hint: string }} props */
function ClassField({ label, name, hint }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const labels = model.value?.labels ?? [];
  const shown = text ?? question.value[name];
  const done = () => {
    if (text !== null && text !== question.value[name]) change({ [name]: text.trim() });
    setText(null);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && done();
  return html`<label class="field"><span>${label}</span>
    <input type="text" dir="auto" list=${`classes-${name}`} value=${shown} placeholder=${hint} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} onChange=${done} onKeyDown=${keys} />
    <datalist id=${`classes-${name}`}>${labels.map((one) => html`<option value=${one} />`)}</datalist>
  </label>`;
}

/** What runs, how far it is, and what went wrong: at the foot of the window, wherever on the page one is. */
export function Working() {
  const now = work.value;
  return html`<div class="working" aria-live="polite">
    ${now && html`<${Running} now=${now} />`}
    ${failure.value && html`<div class="failed" role="alert"><p dir="auto"><strong>It did not work.</strong> ${failure.value}</p>
      ${again.value && html`<button type="button" class="plain" onClick=${again.value}>Try again</button>`}
      <button type="button" class="plain" onClick=${() => (failure.value = '')}>Close</button></div>`}
  </div>`;
}

/** @param {{ now: import('./state.js').Work }} props */
function Running({ now }) {
  const { done = 0, total = 0, what = '' } = now.progress ?? {};
  return html`<div class="running">
    <progress max=${total || undefined} value=${total ? done : undefined} aria-label=${now.what} />
    <span>${now.what}${total ? html` <span class="faint">${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${what}</span>` : ''}</span>
    <button type="button" class="plain" onClick=${now.stop}>Cancel</button></div>`;
}
