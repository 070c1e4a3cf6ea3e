import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Classes } from '../case/classes.js';
import { Photo } from '../case/picture.js';
import { Outlines } from '../case/regions.js';
import { percent } from '../data/numbers.js';
import { html } from '../html.js';
import { active, openCase, settings } from '../settings.js';
import { Ask, Working } from './ask.js';
import { Intake } from './intake.js';
import { runsOf } from './region.js';
import { maskOf } from '../data/outline.js';
import { about, compute, input, methods, model, question } from './state.js';

const REGIONS = 7; // shown at most
const AGREE = 0.4; // rank correlation or overlap from which on two methods are said to agree
const SECOND = ['gradcam', 'layercam', 'integrated_gradients', 'gradient_x_input']; // of another family, the first that works

/** @type {import('@preact/signals').Signal<{ key: string, doc: any } | null>} */
const found = signal(null);
/** @type {import('@preact/signals').Signal<{ key: string, doc: any } | null>} */
const tested = signal(null);

/** The view for people who decide about others: the picture, what speaks for and against, and how far that can be trusted. */
export function ClinicView() {
  const key = JSON.stringify([input.value?.id, question.value]);
  useEffect(() => {
    if (input.value) void examine(key);
  }, [key]);
  const ready = input.value && found.value?.key === key ? found.value.doc : null;
  return html`<${Intake} />${input.value && html`<${Ask} method=${false} />`}<${Working} />${ready && html`<${Sheet} key=${key} doc=${ready} test=${tested.value?.key === key ? tested.value.doc : null} />`}`;
}

/** Two methods of different families, and then what hiding the strongest region changes. @param {string} key */
async function examine(key) {
  const second = SECOND.find((name) => methods.value.some((one) => one.name === name && one.works));
  const first = await compute('Explaining by two methods', 'compare', { ...about(), methods: ['lrp', second].filter(Boolean) });
  if (!first) return;
  found.value = { key, doc: first.doc };
  const layer = first.doc.layers[0];
  const region = layer.regions.find((/** @type {any} */ one) => one.sign === 'for');
  const { width, height } = first.doc.subject;
  if (!region || layer.shape[0] !== height || layer.shape[1] !== width) return;
  const part = { kind: 'mask', numbers: runsOf(maskOf(region.rle, width * height)) };
  const test = await compute('Hiding the strongest region, and random ones', 'probes', { ...about(), what: 'hide', part });
  if (test) tested.value = { key, doc: test.doc };
}

/** One printed page. @param {{ doc: any, test: any }} props */
function Sheet({ doc, test }) {
  const open = openCase(doc);
  const layer = doc.layers[0];
  active.value = open;
  const regions = layer.regions.slice(0, REGIONS);
  const group = (/** @type {string} */ sign) => regions.filter((/** @type {any} */ one) => one.sign === sign);
  const { width, height } = doc.subject;
  const plain = settings.view.value === 'picture';
  return html`<article class="sheet">
    <header><h1 dir="auto">${layer.equation}</h1><p class="faint">Research use, not a diagnosis.</p></header>
    <div class="board"><div class="main">
      <div class="stage" style=${{ aspectRatio: `${width} / ${height}` }}><span class="under gray"><${Photo} subject=${doc.subject} /></span>${!plain && html`<${Outlines} open=${open} />`}</div>
      <p><button type="button" class="plain" aria-pressed=${String(plain)} aria-keyshortcuts="1" onClick=${() => (settings.view.value = plain ? 'regions' : 'picture')}>Plain picture</button></p>
    </div><div class="beside-main">
      <${Classes} classes=${doc.classes} layer=${layer} />
      ${['for', 'against'].map((sign) => html`<section><h3>What speaks ${sign}</h3>${group(sign).length
        ? html`<ul class="evidence">${group(sign).map((/** @type {any} */ one) => html`<li><strong>${percent(one.share)}</strong> ${one.place}</li>`)}</ul>`
        : html`<p class="faint">Nothing stands out.</p>`}</section>`)}
      <section><h3>How far this can be trusted</h3><ul class="lamps">
        <${Lamp} ...${agreement(doc)} /><${Lamp} ...${hiding(test)} />
        <${Lamp} state="unknown" says="Whether this picture is like the data that the model was trained on is unknown: the model does not say." />
      </ul></section>
    </div></div>
    <footer class="origin"><p>${model.value?.name}, pellucid ${model.value?.version}${model.value?.fingerprint ? `, sha256 ${model.value.fingerprint}` : ''}; input ${input.value?.name}, ${width} x ${height} pixels as the model saw it. Research use, not a diagnosis.</p>
      <button type="button" class="plain" onClick=${() => print()}>Print</button></footer>
  </article>`;
}

/** @param {{ state: 'good' | 'amber' | 'unknown', says: string }} props */
function Lamp({ state, says }) {
  const words = { good: 'Holds', amber: 'Caution', unknown: 'Unknown' }[state];
  return html`<li class=${`lamp ${state}`}><strong>${words}.</strong> ${says}</li>`;
}

/** Whether two families of methods agree. @param {any} doc @returns {{ state: 'good' | 'amber' | 'unknown', says: string }} */
function agreement(doc) {
  const pair = doc.agreement?.[0];
  if (!pair || pair.overlap === null) return { state: 'unknown', says: 'A second method gave no regions to compare with.' };
  const names = doc.layers.map((/** @type {any} */ one) => one.method).join(' and ');
  const good = pair.overlap >= AGREE || (pair.correlation ?? 0) >= AGREE;
  const share = `share ${percent(pair.overlap)} of the regions that speak for the class`;
  return good ? { state: 'good', says: `${names}, methods of different families, ${share}.` } : { state: 'amber', says: `${names}, methods of different families, ${share} only: they disagree on where the evidence lies.` };
}

/** Whether hiding the strongest region matters. @param {any} test @returns {{ state: 'good' | 'amber' | 'unknown', says: string }} */
function hiding(test) {
  if (!test) return { state: 'unknown', says: 'Hiding the strongest region was not measured.' };
  const good = test.change > 0 && test.controls.length > 0 && test.larger_controls <= 0.1 * test.controls.length;
  return { state: good ? 'good' : 'amber', says: `${good ? '' : 'Hiding the strongest region changes no more than hiding others of its size. '}${test.sentence}` };
}
