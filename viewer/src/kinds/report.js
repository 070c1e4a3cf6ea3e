import { signal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Small } from '../case/picture.js';
import { html } from '../html.js';
import { Page } from '../page.js';
import { Figures } from '../parts/figures.js';
import { Repeat } from '../parts/repeat.js';
import { Words } from '../parts/words.js';
import { names } from '../parts/names.js';

/** @typedef {import('../types.js').Doc} Doc */

const MOST = 48; // pages in the overview at once
const FEW = 8; // pages that stand beside one another above each of them
const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
  scrollTo(0, 0);
});

/** Several documents: an overview, and a page for each under an address of its own. A few open with the first of them. @param {{ doc: Doc }} props */
export function ReportApp({ doc }) {
  const pages = doc.pages ?? [];
  const n = Number(/^#\/(\d+)(?=\/|$)/.exec(hash.value)?.[1] ?? (hash.value !== '#/' && opens(doc) ? 1 : 0)) - 1;
  const page = pages[n];
  useEffect(() => void (document.title = page ? page.title : doc.title), [page, doc]);
  if (hash.value === '#/all') return html`<${Nav} pages=${pages} n=${-1} /><${Every} pages=${pages} />`;
  if (page) return html`${pages.length > 1 && html`<${Nav} pages=${pages} n=${n} />`}<${Page} key=${n} doc=${page} base=${`#/${n + 1}`} />`;
  return html`<${Overview} doc=${doc} pages=${pages} />`;
}

/** All pages under one another: the first at once, the others after it one by one, so that it can be read before they are there. @param {{ pages: Doc[] }} props */
function Every({ pages }) {
  const [count, setCount] = useState(1);
  const made = useMemo(() => pages.map((one, n) => html`<${Page} key=${n} doc=${one} />`), [pages]);
  useEffect(() => {
    if (count >= pages.length) return;
    const next = setTimeout(() => setCount(count + 1));
    return () => clearTimeout(next);
  }, [count, pages]);
  return html`<div class="every" aria-busy=${String(count < pages.length)}>${made.slice(0, count)}</div>`;
}

/** Whether the first page opens, not the overview, which says nothing of its own. @param {Doc} doc */
function opens(doc) {
  const count = (doc.pages ?? []).length;
  return count === 1 || (count <= FEW && !doc.figures?.length && !doc.warnings?.length);
}

/** @param {{ pages: Doc[], n: number }} props */
function Nav({ pages, n }) {
  if (pages.length <= FEW) return html`<${Tabs} pages=${pages} n=${n} />`;
  const go = (/** @type {any} */ event) => (location.hash = `#/${event.currentTarget.value}`);
  return html`<nav class="pages" aria-label="Pages">
    <a href="#/">All pages</a>
    ${n >= 0 && html`<label><span class="aside">Page</span><select dir="auto" value=${n + 1} onChange=${go}>${pages.map((one, at) => html`<option value=${at + 1} selected=${at === n}>${at + 1}. ${one.title}</option>`)}</select></label>
      <span class="steps">
        ${n > 0 ? html`<a href=${`#/${n}`} rel="prev">Previous</a>` : html`<span class="faint">Previous</span>`}
        ${n < pages.length - 1 ? html`<a href=${`#/${n + 2}`} rel="next">Next</a>` : html`<span class="faint">Next</span>`}
      </span>`}
  </nav>`;
}

/** Few pages: all of them by picture and title, the one shown marked. @param {{ pages: Doc[], n: number }} props */
function Tabs({ pages, n }) {
  return html`<nav class="pages tabs" aria-label="Pages">
    <a class="whole" href="#/">All pages</a>
    ${pages.map((one, at) => html`<a key=${at} href=${`#/${at + 1}`} aria-current=${at === n ? 'page' : undefined}>${pictured(one) && html`<${Thumb} doc=${one} />`}<span><span dir="auto">${names(one.title)}</span>${sampleOf(one) && html`<span class="faint" dir="auto">${sampleOf(one)}</span>`}</span></a>`)}
  </nav>`;
}

/** What tells samples under the same title apart: a name, or how the text begins. @param {Doc} doc */
function sampleOf(doc) {
  const text = doc.subject && 'text' in doc.subject ? doc.subject.text : '';
  return doc.name || (text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** @param {Doc} doc */
const pictured = (doc) => Boolean((doc.subject?.kind === 'picture' && doc.layers?.length) || doc.images?.length || doc.real?.length);

/** @param {{ doc: Doc, pages: Doc[] }} props */
function Overview({ doc, pages }) {
  const [most, setMost] = useState(MOST);
  return html`<article class="report">
    <header><h1 dir="auto">${names(doc.title)}</h1><${Words} sentence=${doc.sentence} warnings=${doc.warnings} notes=${doc.notes} /></header>
    <nav aria-label="Pages"><ol class="cards">
      ${pages.slice(0, most).map((one, n) => html`<li key=${n}><a href=${`#/${n + 1}`}><${Thumb} doc=${one} />${one.name && html`<span class="faint" dir="auto">${one.name}</span>`}<strong dir="auto">${names(one.title)}</strong><span class="faint" dir="auto">${aboutOf(one)}</span></a></li>`)}
    </ol></nav>
    ${pages.length > most && html`<p><button type="button" class="plain" onClick=${() => setMost(most + MOST)}>Show more of ${pages.length} pages</button></p>`}
    ${(doc.omitted ?? 0) > 0 && html`<p class="faint">${doc.omitted} samples are left out.</p>`}
    <p class="faint"><a href="#/all">All pages under one another</a>, for printing.</p>
    <${Figures} figures=${doc.figures ?? []} />
    <${Repeat} doc=${doc} />
  </article>`;
}

/** @param {{ doc: Doc }} props */
function Thumb({ doc }) {
  const [subject, layer] = [doc.subject, doc.layers?.[0]];
  if (subject?.kind === 'picture' && layer) return html`<${Small} subject=${subject} layer=${layer} layers=${[layer]} />`;
  const src = doc.images?.[0]?.src ?? doc.real?.[0]?.src ?? doc.figures.find((one) => one.src)?.src;
  if (src) return html`<img src=${src} alt="" />`;
  const text = subject && 'text' in subject ? subject.text : doc.sentence;
  return html`<span class="excerpt" dir="auto">${text.slice(0, 160)}</span>`;
}

/** @type {Record<string, string>} */
const NAMES = {
  case: 'explanation',
  concepts: 'channels of a decision',
  maximize: 'pictures made to excite units',
  examples: 'real pictures that excite units',
  evaluation: 'evaluation of methods',
  audit: 'audit of a data set',
  card: 'card of a model',
  hiding: 'what hiding a part did',
};

/** @param {Doc} doc */
function aboutOf(doc) {
  const methods = new Set((doc.layers ?? []).map((one) => one.name));
  return doc.kind === 'case' && methods.size ? [...methods].slice(0, 4).join(', ') : (NAMES[doc.kind] ?? doc.kind);
}
