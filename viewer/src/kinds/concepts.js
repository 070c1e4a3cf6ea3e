import { useEffect, useMemo, useState } from 'preact/hooks';
import { Classes } from '../case/classes.js';
import { Display, Views } from '../case/controls.js';
import { Photo, Small } from '../case/picture.js';
import { Stage } from '../case/stage.js';
import { percent } from '../data/numbers.js';
import { html } from '../html.js';
import { DataTable } from '../parts/data-table.js';
import { Figures } from '../parts/figures.js';
import { Legend } from '../parts/legend.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { active, openCase, show } from '../settings.js';
import { names } from '../parts/names.js';

/** @typedef {import('../types.js').Doc} Doc */
/** @typedef {import('../types.js').Concept} Concept */
/** @typedef {import('../types.js').Picture} Picture */
/** @typedef {import('../settings.js').Case} Case */

const CROPS = 6; // real pictures of a channel at first

/** The channels a decision was made with: what passes through each, and what it looks for. @param {{ doc: Doc }} props */
export function ConceptsApp({ doc }) {
  const open = useMemo(() => openCase(doc), [doc]);
  useEffect(() => {
    active.value = open;
    return () => void (active.value = null);
  }, [open]);
  return html`<article class="concepts">
    <header><h1 dir="auto">${names(doc.title)}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${doc.notes} /></header>
    ${doc.subject?.kind === 'picture' && open.layer.value && html`<${Whole} open=${open} subject=${doc.subject} />`}
    <section>
      <h2>Channels ${doc.at ? `of ${doc.at}` : ''}</h2>
      <ul class="concept-list">${(doc.items ?? []).map((one) => html`<${Item} key=${one.unit} open=${open} item=${one} subject=${doc.subject} />`)}</ul>
      ${doc.every && html`<${DataTable} title="All channels of the layer" table=${doc.every} />`}
    </section>
    <${Figures} figures=${doc.figures ?? []} />
    <${Repeat} doc=${doc} />
  </article>`;
}

/** The chosen map, large. @param {{ open: Case, subject: Picture }} props */
function Whole({ open, subject }) {
  const layer = open.layer.value;
  const item = open.doc.items?.find((one) => one.layer === layer.id);
  return html`<div class="board">
    <div class="main">
      <${Views} layer=${layer} />
      <${Stage} open=${open} width=${subject.width} height=${subject.height} caption=${`What the model saw. ${layer.sentence}`}><${Photo} subject=${subject} /><//>
      <p aria-live="polite">${item ? html`What passes through <strong dir="auto">${item.unit}</strong>.` : 'The whole map.'}</p>
      <${Legend} layer=${layer} layers=${open.layers} />
    </div>
    <div class="beside-main">
      <${Classes} classes=${open.doc.classes ?? []} layer=${layer} />
      <button type="button" class="plain" aria-pressed=${String(!item)} onClick=${() => show(open, open.layers[0])}>The whole map</button>
      <${Display} open=${open} />
    </div>
  </div>`;
}

/** @param {{ open: Case, item: Concept, subject: import('../types.js').Subject | undefined }} props */
function Item({ open, item, subject }) {
  const own = open.layers.find((one) => one.id === item.layer);
  return html`<li>
    <h3 dir="auto">${item.unit} <span class="faint">${percent(Math.abs(item.share), 1)} of the score, ${item.relevance < 0 ? 'against' : 'for'}</span></h3>
    <div class="strip">
      ${own && subject?.kind === 'picture' && html`<button type="button" class="panel" aria-pressed=${String(own === open.layer.value)} onClick=${() => show(open, own)}>
        <${Small} subject=${subject} layer=${own} layers=${open.layers}>${item.box && html`<i class="frame" style=${frame(item.box)} />`}<//>
        <span class="faint">Where on this picture</span>
      </button>`}
      ${item.portrait && html`<figure class="thumb"><img src=${item.portrait} alt=${`A picture made to excite ${item.unit}`} /><figcaption class="faint">Made to excite it</figcaption></figure>`}
      ${item.crops.length > 0 && html`<${Crops} item=${item} />`}
    </div>
  </li>`;
}

/** @param {[number, number, number, number]} box Shares of the picture. */
const frame = ([left, top, right, bottom]) => ({ left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });

/** @param {{ item: Concept }} props */
function Crops({ item }) {
  const [all, setAll] = useState(false);
  const more = item.crops.length > CROPS;
  return html`<figure class="thumb crops">
    <div>${item.crops.slice(0, all ? undefined : CROPS).map((src, n) => html`<img src=${src} alt=${`Part ${n + 1} of a real picture that uses ${item.unit}`} />`)}</div>
    <figcaption class="faint">Real pictures that use it most ${more && html`<button type="button" class="plain" onClick=${() => setAll(!all)}>${all ? 'Fewer' : `All ${item.crops.length}`}</button>`}</figcaption>
  </figure>`;
}
