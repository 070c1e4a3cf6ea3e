import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { figure } from '../data/numbers.js';
import { copy } from '../data/save.js';
import { useRoving } from '../hooks.js';
import { html } from '../html.js';
import { Page } from '../page.js';
import { announcement } from '../settings.js';
import { addressOf } from './api.js';
import { about, compute, input, layers, layersWithUnits, linkTo, model, route, tries, work } from './state.js';

const GRID = 512; // units on the page at once
/** Relevance by layer, of the input that is open. @type {import('@preact/signals').Signal<{ input: string, layers: { at: string, positive: number, negative: number }[] } | null>} */
const strip = signal(null);

/** The network: layers, units of a layer, one unit. */
export function UnitsView() {
  const [, layer, unit] = route.value;
  if (layer && unit !== undefined) return html`<${Unit} key=${`${layer}:${unit}`} layer=${layer} unit=${unit} />`;
  if (layer) return html`<${Units} key=${layer} layer=${layer} />`;
  return html`<${Network} />`;
}

function Network() {
  const one = input.value;
  const carried = strip.value && strip.value.input === one?.id ? strip.value.layers : null;
  const go = async () => {
    const found = await compute('Following the relevance from layer to layer', 'probes', { ...about(), what: 'layers' });
    if (found && one) strip.value = { input: one.id, layers: found.doc.layers };
  };
  const most = Math.max(...(carried ?? []).map((each) => Math.max(each.positive, -each.negative)), 1e-9);
  return html`<header><h1>The network</h1><p>From the input at the top to the output at the bottom. Choose a layer to see its units.</p></header>
    ${one ? html`<p><button type="button" class="plain" dir="auto" onClick=${go}>Colour it by the relevance of ${one.name}</button></p>` : html`<p class="faint">With an input at hand, it can be coloured by relevance: <a href="#/">give one</a>.</p>`}
    ${carried && html`<section><h2>Relevance by layer</h2><p class="faint">To the right what speaks for the class, to the left what speaks against it.</p>
      <table class="layers"><caption class="aside">Relevance by layer</caption><thead class="aside"><tr><th scope="col">Layer</th><th scope="col">Against</th><th scope="col">For</th></tr></thead><tbody>
      ${carried.map((each) => html`<tr><th scope="row"><a href=${linkTo('units', each.at)}>${each.at}</a></th>
        <td class="number">${figure(each.negative)}</td>
        <td class="both"><svg viewBox="0 0 100 6" aria-hidden="true"><rect x=${50 + (50 * each.negative) / most} width=${(-50 * each.negative) / most} y="1" height="4" class="fall" /><rect x="50" width=${(50 * each.positive) / most} y="1" height="4" class="rise" /></svg></td>
        <td class="number">${figure(each.positive)}</td></tr>`)}
      </tbody></table></section>`}
    <section><h2>All layers with units</h2>${!layers.value.length && html`<p class="faint">The network is being looked at.</p>`}<ul class="layer-list">${layersWithUnits.value.map((each) => html`<li><a href=${linkTo('units', each.name)}>${each.name}</a> <span class="faint">${each.kind}, ${each.output[1]} units</span></li>`)}</ul></section>`;
}

/** @param {{ layer: string }} props */
function Units({ layer }) {
  const [from, setFrom] = useState(0);
  const count = layers.value.find((one) => one.name === layer)?.output[1] ?? 0;
  const shown = Array.from({ length: Math.min(GRID, Math.max(0, count - from)) }, (_, n) => from + n);
  const roving = useRoving(shown.length);
  return html`<p class="crumbs"><a href=${linkTo('units')}>The network</a></p>
    <header><h1>Units of ${layer}</h1><p>${count ? `${count} units. Choose one to see what excites it most.` : 'There is no such layer, or it has no units.'}</p></header>
    <div class="grid" data-roving role="group" aria-label=${`Units of ${layer}`}>
      ${shown.map((unit, n) => html`<a key=${unit} class="cell" href=${linkTo('units', layer, String(unit))} ...${roving.props(n)} aria-label=${`Unit ${unit}`}>${unit}</a>`)}
    </div>
    ${count > GRID && html`<p><button type="button" class="plain" disabled=${!from} onClick=${() => setFrom(from - GRID)}>Before</button> <button type="button" class="plain" disabled=${from + GRID >= count} onClick=${() => setFrom(from + GRID)}>Further</button></p>`}`;
}

/** One unit: what excites it most, drawn while one watches. @param {{ layer: string, unit: string }} props */
function Unit({ layer, unit }) {
  const [doc, setDoc] = useState(/** @type {any} */ (null));
  const [real, setReal] = useState(/** @type {any} */ (null));
  const address = `${layer}:${unit}`;
  const draw = async () => {
    const found = await compute(`Drawing what excites ${address}`, 'portraits', { target: address }, 'answer');
    if (found) setDoc(found.doc);
  };
  useEffect(() => void draw(), [tries.value]);
  useEffect(() => () => work.value?.stop(), []);
  const search = async (/** @type {string} */ root) => {
    const found = await compute(`Searching ${root} for pictures that excite ${address}`, 'examples', { target: address, root });
    if (found) setReal(found.doc);
  };
  const share = async () => {
    const done = await copy(addressOf(`units/${encodeURIComponent(layer)}/${unit}`));
    announcement.value = done ? 'Link copied' : 'The browser does not allow copying here.';
  };
  const picture = work.value?.progress?.picture;
  const [index, last] = [Number(unit), (layers.value.find((one) => one.name === layer)?.output[1] ?? 0) - 1];
  return html`<p class="crumbs"><a href=${linkTo('units')}>The network</a> / <a href=${linkTo('units', layer)}>${layer}</a>
      ${index > 0 && html` <a href=${linkTo('units', layer, String(index - 1))} rel="prev">← Unit ${index - 1}</a>`}${index < last && html` <a href=${linkTo('units', layer, String(index + 1))} rel="next">Unit ${index + 1} →</a>`}</p>
    <header><h1>Unit ${unit} of ${layer}</h1></header>
    <p><button type="button" class="plain" onClick=${share}>Copy link</button> <button type="button" class="plain" onClick=${draw}>Draw again</button>
      ${(model.value?.roots ?? []).map((root) => html` <button type="button" class="plain" onClick=${() => search(root)}>Real pictures in ${root}</button>`)}</p>
    ${picture && html`<figure class="drawing"><img src=${picture} alt=${`What excites ${address}, being drawn`} /><figcaption class="faint">Being drawn.</figcaption></figure>`}
    ${!picture && doc && html`<div class="answer"><${Page} doc=${doc} /></div>`}
    ${real && html`<div class="answer"><${Page} doc=${real} /></div>`}`;
}
