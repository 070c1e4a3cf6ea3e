import { signal } from '@preact/signals';
import { html } from '../html.js';
import { Page } from '../page.js';
import { Ask, Working } from './ask.js';
import { Intake } from './intake.js';
import { about, compute, input, methods } from './state.js';

const USUAL = ['lrp', 'gradcam', 'integrated_gradients', 'gradient_x_input'];
/** @type {import('@preact/signals').Signal<Set<string> | null>} */
const chosen = signal(null);
/** @type {import('@preact/signals').Signal<{ id: string, doc: any } | null>} */
const found = signal(null);

/** Several methods on one question, side by side. */
export function CompareView() {
  const names = chosen.value ?? new Set(USUAL.filter((name) => methods.value.some((one) => one.name === name && one.works)));
  const toggle = (/** @type {string} */ name) => {
    const next = new Set(names);
    next.has(name) ? next.delete(name) : next.add(name);
    chosen.value = next;
  };
  const go = async () => {
    const got = await compute('Comparing', 'compare', { ...about(), methods: [...names] });
    if (got) found.value = got;
  };
  return html`<${Intake} />
    ${input.value && html`<${Ask} method=${false} />
      <fieldset class="pick"><legend>Methods</legend>${methods.value
        .filter((one) => one.works)
        .map((one) => html`<label title=${one.summary}><input type="checkbox" checked=${names.has(one.name)} onChange=${() => toggle(one.name)} /> ${one.name}${one.repeats ? html` <span class="faint">slow</span>` : ''}</label>`)}</fieldset>
      <button type="button" class="plain" disabled=${!names.size || names.size > 12} onClick=${go}>Compare ${names.size} methods</button>`}
    <${Working} />
    ${input.value && found.value && html`<div class="answer"><${Page} key=${found.value.id} doc=${found.value.doc} /></div>`}`;
}
