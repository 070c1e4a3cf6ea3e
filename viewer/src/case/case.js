import { useEffect, useMemo } from 'preact/hooks';
import { html } from '../html.js';
import { Figures } from '../parts/figures.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { active, methodOf, openCase } from '../settings.js';
import { BODIES } from './bodies.js';
import { Waterfall } from './ledger.js';
import { Values } from './values.js';
import { names } from '../parts/names.js';

/** @typedef {import('../types.js').Doc} Doc */

const FEW = 12; // layers whose words are laid out behind those shown, so that the picture stays where it is when another is chosen

/** One sample: what the model saw, what speaks for the target and against. @param {{ doc: Doc }} props */
export function CaseApp({ doc }) {
  const open = useMemo(() => openCase(doc), [doc]);
  useEffect(() => {
    active.value = open;
    return () => void (active.value = null);
  }, [open]);
  const layer = open.layer.value;
  const subject = doc.subject;
  const Body = subject && BODIES[subject.kind];
  if (!layer || !subject || !Body) return html`<p class="warning">This document holds nothing that can be shown.</p>`;
  return html`<article class="case">
    <header class="stack">
      <div><${About} doc=${doc} layer=${layer} /></div>
      ${open.layers.length <= FEW && open.layers.map((one) => one !== layer && html`<div key=${one.id} class="spare" aria-hidden="true"><${About} doc=${doc} layer=${one} title="p" /></div>`)}
    </header>
    <${Body} open=${open} subject=${subject} />
    ${layer.ledger && layer.ledger.waterfall.length > 0 && html`<section class="ledger"><h2>Where the score went</h2><${Waterfall} ledger=${layer.ledger} /></section>`}
    <${Figures} figures=${doc.figures ?? []} />
    ${subject.kind !== 'inputs' && html`<${Values} subject=${subject} layer=${layer} />`}
    <${Repeat} doc=${doc} layer=${layer} />
  </article>`;
}

/** What is explained, by what, and what a reader has to know. @param {{ doc: Doc, layer: import('../types.js').Layer, title?: string }} props */
function About({ doc, layer, title = 'h1' }) {
  return html`<p class="method" dir="auto">${[methodOf(layer), modelOf(doc), doc.name, doc.truth && `truly ${doc.truth}`].filter(Boolean).join(' · ')}</p>
    <${title} class="title" dir="auto">${names(headline(doc, layer))}<//>
    <${Words} sentence=${layer.sentence} warnings=${unique(doc.warnings, layer.warnings)} notes=${unique(meaning(layer), layer.notes, doc.notes)} />`;
}

/** Target and value; of a page with one answer and a title of its own, that. @param {Doc} doc @param {import('../types.js').Layer} layer */
const headline = (doc, layer) => (doc.layers?.length === 1 && !doc.title.includes(doc.layers[0].equation) ? doc.title : layer.equation);

/** @param {Doc} doc */
function modelOf(doc) {
  const model = doc.provenance?.model;
  return typeof model === 'string' ? model : model && typeof model === 'object' ? String(/** @type {any} */ (model).name ?? '') : '';
}

/** What the values mean. @param {import('../types.js').Layer} layer */
const meaning = (layer) => (layer.claim ? [`${layer.method}: ${layer.claim}.`] : []);

/** @param {string[][]} lists */
const unique = (...lists) => [...new Set(lists.flat())];
