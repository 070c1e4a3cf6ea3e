import { signal } from '@preact/signals';
import { html } from '../html.js';
import { Page } from '../page.js';
import { Ask } from './ask.js';
import { Intake } from './intake.js';
import { about, compute, input, methods, question, work } from './state.js';

const USUAL = ['lrp', 'gradcam', 'integrated_gradients', 'gradient_x_input'];
const MOST = 12; // methods at once
/** @type {import('@preact/signals').Signal<Set<string> | null>} */
const chosen = signal(null);
/** @type {import('@preact/signals').Signal<{ id: string, doc: any, input: string, key: string } | null>} */
const found = signal(null);

/** Several methods on one question, side by side. */
export function CompareView() {
  const works = methods.value.filter((one) => one.works);
  const names = chosen.value ?? new Set(USUAL.filter((name) => works.some((one) => one.name === name)));
  const toggle = (/** @type {string} */ name) => {
    const next = new Set(names);
    next.has(name) ? next.delete(name) : next.add(name);
    chosen.value = next;
  };
  const one = input.value;
  const { target, versus, row } = question.value;
  const key = JSON.stringify([one?.id, target, versus, row]);
  const go = async () => {
    const got = await compute('Comparing', 'compare', { ...about(), methods: [...names] });
    if (got && one) found.value = { ...got, input: one.id, key };
  };
  const shown = found.value?.input === one?.id ? found.value : null;
  const fits = names.size > 0 && names.size <= MOST;
  return html`${one && !shown && html`<h1 class="aside">Compare methods</h1>`}<div class="bar"><${Intake} />${one && html`<${Ask} method=${false} />`}</div>
    ${one && html`${methods.value.length > 0 && html`<fieldset class="pick"><legend>Methods</legend>${works.map((each) => html`<label title=${each.summary}><input type="checkbox" checked=${names.has(each.name)} onChange=${() => toggle(each.name)} /> ${each.name}${each.repeats ? html` <span class="faint">slow</span>` : ''}</label>`)}</fieldset>`}
      <p><button type="button" class="main" disabled=${!fits} onClick=${go}>Compare ${names.size} ${names.size === 1 ? 'method' : 'methods'}</button>${names.size > MOST ? html` <span class="faint">At most ${MOST} at once.</span>` : ''}</p>`}
    ${shown ? html`<div class=${shown.key === key ? 'answer' : 'answer late'} aria-busy=${String(Boolean(work.value))}><${Page} key=${shown.id} doc=${shown.doc} /></div>` : work.value && html`<div class="waiting" />`}`;
}
