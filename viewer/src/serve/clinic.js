import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { Classes } from '../case/classes.js';
import { Photo } from '../case/picture.js';
import { Outlines, colourOf, placeOf } from '../case/regions.js';
import { figure, percent } from '../data/numbers.js';
import { maskOf } from '../data/outline.js';
import { html } from '../html.js';
import { names } from '../parts/names.js';
import { active, openCase, settings, tools } from '../settings.js';
import { Ask } from './ask.js';
import { Intake } from './intake.js';
import { runsOf } from './region.js';
import { about, asked, change, compute, input, methods, model, tries, typed, work } from './state.js';

/** @typedef {{ state: 'good' | 'amber' | 'unknown', says: string }} Verdict */

const REGIONS = 7; // shown at most
const AGREE = 0.4; // rank correlation or overlap from which on two methods are said to agree
const SECOND = ['gradcam', 'layercam', 'integrated_gradients', 'gradient_x_input']; // of another family, the first that works

/** @type {import('@preact/signals').Signal<{ key: string, input: string, doc: any } | null>} */
const found = signal(null);
/** @type {import('@preact/signals').Signal<{ key: string, doc: any } | null>} */
const tested = signal(null);

/** The view for people who decide about others: the picture, what speaks for and against, and how far that can be trusted. */
export function ClinicView() {
  const [one, key] = [input.value, asked.value];
  const ready = methods.value.length > 0 && work.value?.kind !== 'upload';
  useEffect(() => {
    if (one && ready && found.value?.key !== key) void examine(one.id, key);
  }, [key, ready, tries.value]);
  useEffect(() => {
    settings.view.value = 'regions';
    tools.value = { Marker: null, Panel: null, choose: (other) => change({ target: typed(other) }) };
    return () => void (tools.value = active.value = null);
  }, []);
  const shown = found.value?.input === one?.id ? found.value : null;
  const late = shown?.key !== key;
  return html`<div class="bar"><${Intake} />${one && html`<${Ask} method=${false} />`}</div>
    ${shown ? html`<div class=${late ? 'answer late' : 'answer'} aria-busy=${String(Boolean(late && work.value))}><${Sheet} key=${shown.key} doc=${shown.doc} test=${tested.value?.key === shown.key ? tested.value.doc : null} /></div>` : one && html`<div class="waiting"><h1 class="aside" dir="auto">${one.name}</h1></div>`}`;
}

/** Two methods of different families, and then what hiding the strongest region changes. @param {string} id @param {string} key */
async function examine(id, key) {
  const second = SECOND.find((name) => methods.value.some((one) => one.name === name && one.works));
  const first = await compute('Explaining by two methods', 'compare', { ...about(), methods: ['lrp', second].filter(Boolean) }, 'answer');
  if (!first || asked.value !== key) return;
  found.value = { key, input: id, doc: first.doc };
  const layer = first.doc.layers[0];
  const region = layer.regions.find((/** @type {any} */ one) => one.sign === 'for');
  const { width, height } = first.doc.subject;
  if (!region || layer.shape[0] !== height || layer.shape[1] !== width) return;
  const part = { kind: 'mask', numbers: runsOf(maskOf(region.rle, width * height)) };
  const test = await compute('Hiding the strongest region, and random ones', 'probes', { ...about(), what: 'hide', part }, 'answer');
  if (test) tested.value = { key, doc: test.doc };
}

/** One printed page. @param {{ doc: any, test: any }} props */
function Sheet({ doc, test }) {
  const open = useMemo(() => openCase(doc), [doc]);
  useEffect(() => void (active.value = open), [open]);
  const layer = doc.layers[0];
  const { width, height } = doc.subject;
  const plain = settings.view.value === 'picture';
  const toggle = () => (settings.view.value = plain ? 'regions' : 'picture');
  return html`<article class="sheet">
    <header><h1 dir="auto">${names(layer.equation)}</h1><p class="warning">Research use, not a diagnosis.</p></header>
    <div class="board"><div class="main">
      <div class="stage" role="img" aria-label=${plain ? 'The plain picture, as the model saw it' : `The picture with ${layer.regions.length} regions outlined`} style=${{ aspectRatio: `${width} / ${height}`, '--ratio': width / height }}><span class="under gray"><${Photo} subject=${doc.subject} /></span>${!plain && html`<${Outlines} open=${open} />`}</div>
      <p class="below"><button type="button" class="plain" aria-pressed=${String(plain)} aria-keyshortcuts="1" onClick=${toggle}>Plain picture</button> <span class="faint"><kbd>1</kbd> plain, <kbd>4</kbd> with regions</span></p>
    </div><div class="beside-main">
      <${Classes} classes=${doc.classes} layer=${layer} />
      <${Evidence} layer=${layer} />
      <section><h2 class="minor">How far this can be trusted</h2><ul class="lamps">
        <${Lamp} ...${agreement(doc)} /><${Lamp} ...${hiding(test)} />
        <${Lamp} state="unknown" says="Whether this picture is like those that the model was trained on: the model does not say what they were." />
      </ul></section>
    </div></div>
    <footer class="origin"><${Origin} width=${width} height=${height} layer=${layer} /><button type="button" class="plain" onClick=${() => print()}>Print</button></footer>
  </article>`;
}

/** The regions in words, at most seven. @param {{ layer: any }} props */
function Evidence({ layer }) {
  const shown = layer.regions.slice(0, REGIONS);
  return ['for', 'against'].map((sign) => {
    const own = shown.filter((/** @type {any} */ one) => one.sign === sign);
    return html`<section><h2 class="minor">Evidence ${sign}</h2>${own.length
      ? html`<ul class="evidence">${own.map((/** @type {any} */ one) => html`<li><span class=${`swatch ${sign}`} style=${{ background: colourOf(one, layer) }} /><strong>${percent(one.share)}</strong> <span>${placeOf(one, layer)}</span></li>`)}</ul>`
      : html`<p class="faint">No region stands out.</p>`}</section>`;
  });
}

/** What this was made with. @param {{ width: number, height: number, layer: any }} props */
function Origin({ width, height, layer }) {
  const [own, one] = [model.value, input.value];
  return html`<dl>
    <div><dt>Model</dt><dd>${own?.name}${own?.fingerprint ? html`, sha256 <code>${own.fingerprint}</code>` : ''}</dd></div>
    <div><dt>Input</dt><dd dir="auto">${one?.name}${one?.hash ? html`, sha256 <code>${one.hash}</code>` : ''}; ${width} x ${height} pixels as the model saw it</dd></div>
    <div><dt>Made with</dt><dd>pellucid ${own?.version}, ${layer.method}; regions in per cent of all evidence of their kind. Research use, not a diagnosis.</dd></div>
  </dl>`;
}

/** @param {Verdict} props */
function Lamp({ state, says }) {
  const words = { good: 'Holds', amber: 'Caution', unknown: 'Unknown' }[state];
  return html`<li class=${`lamp ${state}`}><strong>${words}.</strong> ${says}</li>`;
}

/** Whether two families of methods agree. @param {any} doc @returns {Verdict} */
function agreement(doc) {
  const pair = doc.agreement?.[0];
  if (!pair || pair.overlap === null) return { state: 'unknown', says: 'Whether two methods agree: the second gave no regions to compare with.' };
  const two = doc.layers.map((/** @type {any} */ one) => one.method).join(' and ');
  const good = pair.overlap >= AGREE || (pair.correlation ?? 0) >= AGREE;
  const ranks = pair.correlation === null ? '' : `, and their values a rank correlation of ${figure(pair.correlation, 2)}`;
  const says = `Two methods of different families ${good ? 'agree' : 'disagree'} on where the evidence lies: ${two} have ${percent(pair.overlap)} of the area in common that either marks as evidence for the class${ranks}.`;
  return { state: good ? 'good' : 'amber', says };
}

/** Whether hiding the strongest region matters. @param {any} test @returns {Verdict} */
function hiding(test) {
  if (!test) return { state: 'unknown', says: `Whether hiding the strongest region changes the answer ${work.value ? 'is being' : 'was not'} measured.` };
  const good = test.change > 0 && test.controls.length > 0 && test.larger_controls <= 0.1 * test.controls.length;
  return { state: good ? 'good' : 'amber', says: `Hiding the strongest region changes the score ${good ? 'more' : 'no more'} than hiding others of its size. ${test.sentence}` };
}
