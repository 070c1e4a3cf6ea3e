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
    <header>
      <p class="method" dir="auto">${[methodOf(layer), modelOf(doc), doc.name, doc.truth && `truly ${doc.truth}`].filter(Boolean).join(' · ')}</p>
      <h1 dir="auto">${names(layer.equation)}</h1>
      <${Words} sentence=${layer.sentence} warnings=${unique(doc.warnings, layer.warnings)} notes=${unique(meaning(layer), layer.notes, doc.notes)} />
    </header>
    <${Body} open=${open} subject=${subject} />
    ${layer.ledger && layer.ledger.waterfall.length > 0 && html`<section class="ledger"><h2>Where the score went</h2><${Waterfall} ledger=${layer.ledger} /></section>`}
    <${Figures} figures=${doc.figures ?? []} />
    ${subject.kind !== 'inputs' && html`<${Values} subject=${subject} layer=${layer} />`}
    <${Repeat} doc=${doc} layer=${layer} />
  </article>`;
}

/** @param {Doc} doc */
function modelOf(doc) {
  const model = doc.provenance?.model;
  return typeof model === 'string' ? model : model && typeof model === 'object' ? String(/** @type {any} */ (model).name ?? '') : '';
}

/** What the values mean. @param {import('../types.js').Layer} layer */
const meaning = (layer) => (layer.claim ? [`${layer.method}: ${layer.claim}.`] : []);

/** @param {string[][]} lists */
const unique = (...lists) => [...new Set(lists.flat())];
