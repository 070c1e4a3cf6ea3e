import { useMemo, useState } from 'preact/hooks';
import { figure, percent } from '../data/numbers.js';
import { outline } from '../data/outline.js';
import { useLevels } from '../hooks.js';
import { html } from '../html.js';
import { DataTable } from '../parts/data-table.js';
import { Count, Maps, Past, chooser, shower } from './audit.js';
import { Explore } from './explore.js';
import { Grid, Heat, useItems } from './items.js';

/** @typedef {import('./source.js').Audit} Audit */
/** @typedef {import('./source.js').Cluster} Cluster */
/** @typedef {import('./source.js').Source} Source */
/** @typedef {import('./source.js').Effect} Effect */
/** @typedef {import('./address.js').Place} Place */

const HALF = 64; // of 127 steps: places of the mean map that are outlined
const SURE = 0.05; // false-discovery rate of metadata that counts
/** @type {Record<string, string>} */
const IMPUTERS = { mean: 'its mean colour', blur: 'a blurred picture', linear: 'a smooth surface' };

/** What is known about a cluster: tested or not, and what was decided last. @param {{ one: Cluster, decisions: import('./source.js').Decision[] }} props */
export function Status({ one, decisions }) {
  const last = decisions.findLast((each) => each.cluster === one.id);
  const words = !one.verdict ? 'Pattern, not tested' : one.verdict.confirmed ? 'Confirmed by intervention' : 'Only a pattern';
  const said = { artefact: 'artefact', evidence: 'sound evidence', unclear: 'unclear' }[last?.decision ?? ''];
  return html`<span class=${`state ${one.verdict ? (one.verdict.confirmed ? 'confirmed' : 'tested') : ''}`}>${words}</span>${last && said && html`<span class="faint">, ${said} (<bdi>${last.name}</bdi>)</span>`}`;
}

/** One cluster: what its members share, how it was tested, what was decided. @param {{ doc: Audit, source: Source, place: Place, one: Cluster }} props */
export function ClusterView({ doc, source, place, one }) {
  const [shown, setShown] = useState({ says: 'in the cluster', numbers: one.members });
  const show = shower(setShown);
  const order = doc.clusters.indexOf(one);
  const neighbour = (/** @type {number} */ n, /** @type {string} */ rel, /** @type {string} */ words) => doc.clusters[n] && html` <a rel=${rel} href=${place.link(doc.clusters[n].target, doc.clusters[n].id)}>${words}</a>`;
  const own = doc.classes.find((each) => each.target === one.target);
  const mine = doc.decisions.filter((each) => each.cluster === one.id);
  return html`<p class="crumbs"><a href=${place.link()}>All classes</a> / <a href=${place.link(one.target)} dir="auto">${one.class}</a><span class="steps">${neighbour(order - 1, 'prev', 'More suspicious')}${neighbour(order + 1, 'next', 'Less suspicious')}</span></p>
    <header><h1 dir="auto" tabindex="-1">Cluster ${one.id}: ${one.size} of ${own?.items ?? ''} explained as ${one.class}</h1>
      <p><${Status} one=${one} decisions=${doc.decisions} /></p>
      <p class="sentence" dir="auto">What stands out: ${one.sentence}.</p></header>
    <div class="board">
      <div class="main"><h2>What its ${one.nearest.length} most typical inputs show</h2><${Maps} />
        <${Nearest} doc=${doc} source=${source} one=${one} /></div>
      <div class="beside-main"><${Mean} doc=${doc} source=${source} one=${one} /><${Figures} one=${one} /></div>
    </div>
    <section class="test"><h2>Does the network use it?</h2><${Tested} one=${one} />${source.Act ? html`<${source.Act} key=${one.id} one=${one} doc=${doc} />` : html`<${Past} doc=${doc} list=${mine} />`}</section>
    <div id="items"><${Explore} key=${one.id} source=${source} target=${one.target} spaces=${doc.spaces} members=${one.members} shown=${shown} show=${chooser(setShown)} grid=${doc.grid} cluster=${one} space=${one.space} kept=${doc.kept} /></div>
    <p>${html`<${Count} numbers=${one.members} says="in the cluster" show=${show}>All ${one.size} of the cluster<//>`}${own && own.odd.length > 0 && html`, <${Count} numbers=${own.odd} says="odd decisions of the class" show=${show}>${own.odd.length} odd decisions of the class<//>`}</p>
    <${Metadata} one=${one} /><${Units} one=${one} place=${place} linked=${Boolean(source.Act)} />`;
}

/** @param {{ doc: Audit, source: Source, one: Cluster }} props */
function Nearest({ doc, source, one }) {
  const corners = useMemo(() => new Map(one.members.map((number, n) => [number, one.mark.corners[n]])), [one]);
  return html`<${Grid} source=${source} numbers=${one.nearest} grid=${doc.grid} corners=${corners} mark=${one.mark} label="Nearest to the centre" />
    <p class="faint">Framed: the window with the strongest evidence. Click one to see it larger.</p>`;
}

/** The mean map of the cluster over its most typical member. @param {{ doc: Audit, source: Source, one: Cluster }} props */
function Mean({ doc, source, one }) {
  const [medoid] = useItems(source, [one.medoid]);
  const levels = useLevels(one.mean ?? '');
  const [down, across] = doc.grid;
  const path = useMemo(() => (levels && one.mean && down > 1 ? outline(Uint8Array.from(levels, (q) => Number(q >= HALF)), down, across) : ''), [levels]);
  if (!one.mean || down === 1) return null;
  return html`<figure class="mean"><h2 class="minor">Where their evidence lies on average</h2>
    <div class="small-picture veiled">${medoid?.src ? html`<img src=${medoid.src} alt=${`The most typical input, ${medoid.key}`} />` : html`<span class="blank" />`}<${Heat} map=${one.mean} grid=${doc.grid} opacity=${1} />
      <svg viewBox=${`0 0 ${across} ${down}`} preserveAspectRatio="none" aria-hidden="true"><path class="halo" d=${path} /><path d=${path} /></svg></div>
    <figcaption class="faint">Absolute relevance, the mean of ${one.size} maps over the most typical input; outlined: more than half of its peak.</figcaption></figure>`;
}

/** @param {{ one: Cluster }} props */
function Figures({ one }) {
  const share = (/** @type {number | null} */ value) => (value === null ? 'unknown' : percent(value));
  const more = (/** @type {number} */ value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${percent(Math.abs(value))}`;
  const rows = [
    ['Share of the class', share(one.share_of_class)],
    ['Named right here', share(one.accuracy)],
    ['Named right in the rest of the class', share(one.accuracy_of_rest)],
    ['A mark comes back (0 to 1)', figure(one.recurrence)],
    ['Evidence in one window, beyond the rest', more(one.compactness)],
    ['Evidence at the border, beyond the rest', more(one.border)],
    ['Separability (0 to 1)', figure(one.separability)],
    ['Suspicion, the sum', figure(one.suspicion)],
  ];
  return html`<section><h2 class="minor">Figures</h2><dl class="facts wide">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

/** The verdict of the counter-test with its figures. @param {{ one: Cluster }} props */
function Tested({ one: { verdict } }) {
  if (!verdict) return html`<p>Not tested. A test takes the mark away from these inputs and pastes it on inputs of other classes, and does the same with other windows of its size. Until then this is a pattern, and nothing more.</p>`;
  const lines = /** @type {[string, Effect][]} */ ([[`Taking it away lowers the score (filled in with ${IMPUTERS[verdict.removed.imputer] ?? verdict.removed.imputer})`, verdict.removed], ['Pasting it on other classes raises the score', verdict.pasted]]);
  const range = lines.flatMap(([, e]) => [e.low, e.high, e.control, 0]);
  const [low, high] = [Math.min(...range), Math.max(...range, 0.01)];
  return html`<p class=${verdict.confirmed ? 'verdict confirmed' : 'verdict'}><strong>${verdict.confirmed ? 'Confirmed by intervention: it is an artefact.' : 'Only a pattern: the network does not depend on it enough to tell it from other windows.'}</strong></p>
    <table class="effects"><caption class="aside">What the test measured</caption><thead><tr><th scope="col">Change of the probability</th><th scope="col">Mean and 95 % interval</th><th scope="col" class="number">Controls</th><th scope="col" class="number">Predictions that flip</th></tr></thead><tbody>
      ${lines.map(([words, e]) => html`<tr><th scope="row">${words}</th><td><${Effects} e=${e} low=${low} high=${high} /></td><td class="number">${figure(e.control)}</td><td class="number">${e.flips} of ${e.n}</td></tr>`)}</tbody></table>
    <p class="faint">Thin mark: other windows of the same size. It is confirmed where, at the lower ends of the intervals, removing it does clearly more than removing others, and pasting it at least 0.2 more than pasting others: docs/audit.md has the whole rule.</p>`;
}

/** @param {{ e: Effect, low: number, high: number }} props */
function Effects({ e, low, high }) {
  const x = (/** @type {number} */ value) => 2 + (96 * (value - low)) / (high - low || 1);
  return html`<span class="interval"><svg viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true"><line class="mark" x1=${x(0)} x2=${x(0)} y1="0" y2="16" /><line class="mark control" x1=${x(e.control)} x2=${x(e.control)} y1="1" y2="15" />
    <line x1=${x(e.low)} x2=${x(e.high)} y1="8" y2="8" /><line class="dot" x1=${x(e.effect)} x2=${x(e.effect)} y1="3" y2="13" /></svg><span class="number">${figure(e.effect)} [${figure(e.low)}, ${figure(e.high)}]</span></span>`;
}

/** Which of the user's metadata goes with the cluster. @param {{ one: Cluster }} props */
function Metadata({ one }) {
  if (!one.enrichment.length) return null;
  return html`<section><h2>What else these inputs share</h2><div class="scroll whole" tabindex="0" role="region" aria-label="Metadata"><table><caption class="aside">Metadata of the cluster</caption><thead><tr><th scope="col">Column</th><th scope="col">Value</th><th scope="col" class="number">In the cluster</th><th scope="col" class="number">In all</th><th scope="col" class="number">False-discovery rate</th></tr></thead><tbody>
    ${one.enrichment.map((each) => html`<tr class=${each.q < SURE ? 'sure' : ''}><td dir="auto">${each.column}</td><td dir="auto">${each.value}</td><td class="number">${percent(each.share)}</td><td class="number">${percent(each.of_all)}</td><td class="number">${each.q < 0.001 ? '< 0.001' : figure(each.q)}</td></tr>`)}</tbody></table></div>
    <p class="faint">Hypergeometric test, corrected for all columns, values and clusters (Benjamini and Hochberg). Bold: below 5 %.</p></section>`;
}

/** The channels that its members use more than the rest of the class. @param {{ one: Cluster, place: Place, linked: boolean }} props */
function Units({ one, linked }) {
  if (!one.units.length) return null;
  return html`<section><h2>Channels it uses</h2><ul class="unit-list">${one.units.map((each) => html`<li>
    ${each.portrait && html`<img src=${each.portrait} alt=${`What excites ${each.layer}:${each.channel}`} />`}
    ${linked ? html`<a href=${`#/units/${encodeURIComponent(each.layer)}/${each.channel}`}>${each.layer}:${each.channel}</a>` : html`<span>${each.layer}:${each.channel}</span>`} <span class="faint">${each.share_more > 0 ? '+' : ''}${percent(each.share_more, 1)} of the relevance of the layer, beyond the rest of the class</span></li>`)}</ul>
    ${one.eigenvalues.length > 0 && html`<${DataTable} title="Eigenvalues of the Laplacian" table=${{ head: ['Number', 'Eigenvalue'], rows: one.eigenvalues.map((value, n) => [String(n + 1), figure(value)]) }} />`}</section>`;
}
