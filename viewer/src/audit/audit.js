import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { figure, percent } from '../data/numbers.js';
import { html } from '../html.js';
import { Buttons } from '../parts/choice.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { settings } from '../settings.js';
import { placeIn } from './address.js';
import { ClusterView, Status } from './cluster.js';
import { Explore } from './explore.js';
import { sourceOfAudit } from './source.js';

/** @typedef {import('./source.js').Audit} Audit */
/** @typedef {import('./source.js').Cluster} Cluster */
/** @typedef {import('./source.js').Class} Class */
/** @typedef {import('./source.js').Source} Source */
/** @typedef {import('./address.js').Place} Place */
/** @typedef {{ says: string, numbers: number[] }} Choice What the pictures show, and why. */

const MOST = 25; // rows of a table at first

/** The audit in a report: everything it shows is in the document. @param {{ doc: Audit, base?: string }} props */
export function AuditApp({ doc, base = '' }) {
  const source = useMemo(() => sourceOfAudit(doc), [doc]);
  return html`<${AuditView} doc=${doc} source=${source} place=${placeIn(base)} />`;
}

/** What networks rely on, class by class, and cluster by cluster. @param {{ doc: Audit, source: Source, place: Place }} props */
export function AuditView({ doc, source, place }) {
  const [target, cluster] = place.parts;
  const one = doc.clusters.find((each) => String(each.id) === cluster && String(each.target) === target);
  const own = doc.classes.find((each) => String(each.target) === target);
  if (one) return html`<${Titled} key=${cluster}><${ClusterView} doc=${doc} source=${source} place=${place} one=${one} /><//>`;
  if (own) return html`<${Titled} key=${target}><${ClassView} doc=${doc} source=${source} place=${place} own=${own} /><//>`;
  return html`<${Titled} key="all" first=${true}><${Overview} doc=${doc} source=${source} place=${place} missing=${target !== undefined} /><//>`;
}

/** Moves the focus to the title of what was opened, so that a keyboard goes on there. @param {{ children: any, first?: boolean }} props */
function Titled({ children, first = false }) {
  const part = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => void (!first && part.current?.querySelector('h1')?.focus({ preventScroll: true })), []);
  return html`<article class="audit" ref=${part}>${children}</article>`;
}

/** @param {{ doc: Audit, source: Source, place: Place, missing: boolean }} props */
function Overview({ doc, source, place, missing }) {
  const suspicious = doc.clusters[0]?.members ?? [];
  const [shown, setShown] = useState(/** @type {Choice} */ ({ says: 'in the most suspicious cluster', numbers: doc.clusters[0]?.members ?? [] }));
  return html`
    <header><h1 dir="auto">${doc.title}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${missing ? ['There is no such class or cluster here.', ...doc.notes] : doc.notes} /></header>
    <section><h2>Classes, the most suspicious first</h2><${Classes} doc=${doc} source=${source} place=${place} show=${shower(setShown)} /></section>
    <section><h2>Clusters, the most suspicious first</h2><${Clusters} doc=${doc} place=${place} list=${doc.clusters} show=${shower(setShown)} named=${true} /></section>
    <div id="items"><${Explore} source=${source} target=${-1} spaces=${doc.spaces} members=${suspicious} shown=${shown} show=${chooser(setShown)} grid=${doc.grid} kept=${doc.kept} /></div>
    <${Past} doc=${doc} list=${doc.decisions} />
    <${Repeat} doc=${doc} />`;
}

/** @param {{ doc: Audit, source: Source, place: Place, own: Class }} props */
function ClassView({ doc, source, place, own }) {
  const list = doc.clusters.filter((one) => one.target === own.target);
  const members = useMemo(() => [...new Set(list.flatMap((one) => one.members))], [doc, own]);
  const [shown, setShown] = useState(/** @type {Choice} */ (list.length ? { says: 'in its most suspicious cluster', numbers: list[0].members } : { says: 'odd decisions', numbers: own.odd }));
  return html`<p class="crumbs"><a href=${place.link()}>All classes</a></p>
    <header><h1 dir="auto" tabindex="-1">${own.name}: ${own.items.toLocaleString('en')} inputs, ${list.length} ${list.length === 1 ? 'cluster' : 'clusters'}</h1>
      <p>${percent(own.accuracy)} of them are taken for ${own.name}.${own.odd.length > 0 && html` <${Count} numbers=${own.odd} says="odd decisions, the oddest first" show=${shower(setShown)}>${own.odd.length} odd decisions<//>: those least like the others of the class.`}</p></header>
    ${list.length > 0 && html`<section><h2>Clusters, the most suspicious first</h2><${Clusters} doc=${doc} place=${place} list=${list} show=${shower(setShown)} named=${false} /></section>`}
    <div id="items"><${Explore} source=${source} target=${own.target} spaces=${doc.spaces} members=${members} shown=${shown} show=${chooser(setShown)} grid=${doc.grid} kept=${doc.kept} /></div>`;
}

/** @param {(choice: Choice) => void} set */
export const chooser = (set) => (/** @type {string} */ says, /** @type {number[]} */ numbers) => set({ says, numbers });

/** Shows items, and brings them into view: they may lie far below what was clicked. @param {(choice: Choice) => void} set */
export const shower = (set) => (/** @type {string} */ says, /** @type {number[]} */ numbers) => {
  set({ says, numbers });
  requestAnimationFrame(() => document.querySelector('.linked .of-items')?.closest('div')?.parentElement?.scrollIntoView({ block: 'nearest' }));
};

/** A count, which opens the items behind it. @param {{ numbers: number[], says: string, show: (says: string, numbers: number[]) => void, children: any }} props */
export const Count = ({ numbers, says, show, children }) => html`<button type="button" class="count" onClick=${() => show(says, numbers)}>${children}</button>`;

/** @param {{ doc: Audit, source: Source, place: Place, show: (says: string, numbers: number[]) => void }} props */
function Classes({ doc, source, place, show }) {
  const whole = async (/** @type {Class} */ one) => show(`explained as ${one.name}`, Array.from((await source.points(one.target, doc.spaces[0], 'components')).numbers));
  const [all, setAll] = useState(false);
  const top = Math.max(...doc.classes.map((one) => one.suspicion), 1e-9);
  return html`<div class="scroll whole" tabindex="0" role="region" aria-label="Classes"><table class="ranked"><caption class="aside">Classes, the most suspicious first</caption>
    <thead><tr><th scope="col">Class</th><th scope="col" class="number">Inputs</th><th scope="col" class="number">Named right</th><th scope="col" class="number">Clusters</th><th scope="col" class="number">Odd</th><th scope="col">Suspicion</th></tr></thead>
    <tbody>${doc.classes.slice(0, all ? undefined : MOST).map((one) => html`<tr><th scope="row" dir="auto"><a href=${place.link(one.target)}>${one.name}</a></th><td class="number"><button type="button" class="count" onClick=${() => whole(one)}>${one.items.toLocaleString('en')}</button></td><td class="number">${percent(one.accuracy)}</td>
      <td class="number">${one.clusters.length ? html`<a href=${place.link(one.target)} aria-label=${`${one.clusters.length} clusters of ${one.name}`}>${one.clusters.length}</a>` : '0'}</td><td class="number">${one.odd.length ? html`<${Count} numbers=${one.odd} says=${`odd decisions for ${one.name}`} show=${show}>${one.odd.length}<//>` : '0'}</td><td><${Bar} value=${one.suspicion} of=${top} /></td></tr>`)}</tbody></table></div>
    ${doc.classes.length > MOST && !all && html`<p><button type="button" class="plain" onClick=${() => setAll(true)}>Show all ${doc.classes.length} classes</button></p>`}`;
}

/** @param {{ doc: Audit, place: Place, list: Cluster[], show: (says: string, numbers: number[]) => void, named: boolean }} props */
function Clusters({ doc, place, list, show, named }) {
  const [all, setAll] = useState(false);
  const top = Math.max(...doc.clusters.map((one) => one.suspicion), 1e-9);
  if (!list.length) return html`<p>No clusters were found: nothing in these explanations falls into groups.</p>`;
  return html`<div class="scroll whole" tabindex="0" role="region" aria-label="Clusters"><table class="ranked"><caption class="aside">Clusters, the most suspicious first</caption>
    <thead><tr><th scope="col">Cluster</th>${named && html`<th scope="col">Class</th>`}<th scope="col" class="number">Inputs</th><th scope="col">Suspicion</th><th scope="col">What stands out</th><th scope="col">State</th></tr></thead>
    <tbody>${list.slice(0, all ? undefined : MOST).map((one) => html`<tr><th scope="row"><a href=${place.link(one.target, one.id)}>Cluster ${one.id}</a></th>${named && html`<td dir="auto">${one.class}</td>`}
      <td class="number"><${Count} numbers=${one.members} says=${`in cluster ${one.id} (${one.class})`} show=${show}>${one.size}<//></td><td><${Bar} value=${one.suspicion} of=${top} /></td><td dir="auto">${one.sentence}</td><td><${Status} one=${one} decisions=${doc.decisions} /></td></tr>`)}</tbody></table></div>
    ${list.length > MOST && !all && html`<p><button type="button" class="plain" onClick=${() => setAll(true)}>Show all ${list.length} clusters</button></p>`}`;
}

/** @param {{ value: number, of: number }} props */
const Bar = ({ value, of }) => html`<span class="suspicion"><span class="line"><i style=${{ width: `${Math.max(0, (100 * value) / of)}%` }} /></span><span class="number">${figure(value)}</span></span>`;

/** What was decided, the latest first. @param {{ doc: Audit, list: import('./source.js').Decision[] }} props */
export function Past({ doc, list }) {
  if (!list.length) return null;
  return html`<section class="decided"><h2>Decisions</h2><ol>${list.toReversed().map((one) => html`<li><p><strong>Cluster ${one.cluster}: ${doc.choices[one.decision] ?? one.decision}</strong></p>
    ${one.note && html`<p class="note-text" dir="auto">${one.note}</p>`}<p class="faint"><bdi>${one.name}</bdi>, <time datetime=${one.time}>${when(one.time)}</time></p></li>`)}</ol></section>`;
}

/** A time in ISO 8601, for people. @param {string} time */
const when = (time) => `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;

/** Whether maps and the windows of marks lie over the pictures. */
export function Maps() {
  const options = [{ name: 'picture', label: 'Pictures' }, { name: 'map', label: 'With maps' }];
  return html`<${Buttons} label="Pictures" options=${options} value=${settings.view.value === 'picture' ? 'picture' : 'map'} choose=${(/** @type {string} */ name) => (settings.view.value = name)} />`;
}
