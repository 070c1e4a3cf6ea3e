import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { change, failure, methods, model, past, question, undo, work } from './state.js';

/** The questions that can be asked: method, class, and what it is compared with. @param {{ method?: boolean }} props */
export function Ask({ method = true }) {
  const chosen = methods.value.find((one) => one.name === question.value.method);
  return html`<section class="ask" aria-label="Question">
    <div class="fields">
      ${method && html`<${MethodSelect} />`}
      <${ClassField} label="Target" name="target" hint="the predicted one" />
      <${ClassField} label="Compare with" name="versus" hint="no other" />
      <button type="button" class="plain" disabled=${!past.value.length} onClick=${undo}>Undo</button>
    </div>
    ${method && chosen && html`<p class="faint">${chosen.summary} ${chosen.repeats ? 'It runs the network many times.' : 'It runs the network once or a few times.'} ${chosen.signed ? 'It tells for from against.' : 'It gives sizes only.'} ${chosen.reason} <span>(${chosen.paper} ${chosen.year})</span></p>`}
  </section>`;
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
    if (text !== null && text !== question.value[name]) change({ [name]: text });
    setText(null);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && done();
  return html`<label class="field"><span>${label}</span>
    <input type="text" dir="auto" list=${`classes-${name}`} value=${shown} placeholder=${hint} autocomplete="off"
      onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} onChange=${done} onKeyDown=${keys} />
    <datalist id=${`classes-${name}`}>${labels.map((one) => html`<option value=${one} />`)}</datalist>
  </label>`;
}

/** What runs, how far it is, and what went wrong. */
export function Working() {
  const now = work.value;
  const { done = 0, total = 0, what = '' } = now?.progress ?? {};
  return html`<div class="working" aria-live="polite">
    ${now && html`<p class="running"><span>${now.what}${total ? `: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${what}` : ' ...'}</span>
      <progress max=${total || undefined} value=${total ? done : undefined} aria-label=${now.what} />
      <button type="button" class="plain" onClick=${now.stop}>Cancel</button></p>`}
    ${failure.value && html`<p class="warning" role="alert" dir="auto"><strong>It did not work.</strong> ${failure.value}</p>`}
  </div>`;
}
