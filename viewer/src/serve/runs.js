import { signal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { AuditView, Past } from '../audit/audit.js';
import { remembering } from '../audit/source.js';
import { html } from '../html.js';
import { EvaluationApp } from '../kinds/evaluation.js';
import { Page } from '../page.js';
import { announcement } from '../settings.js';
import { getJson, request } from './api.js';
import { Download } from './download.js';
import { compute, failure, linkTo, route, wordsOf } from './state.js';

/** @typedef {{ run: string, kind: string, name: string, model: string, count: number, shards: number, done: number, computes: boolean }} Run */
/** @typedef {import('../audit/source.js').Source} Source */
/** @typedef {import('../audit/source.js').Item} Item */
/** @typedef {import('../audit/source.js').Cluster} Cluster */

const MANY = 24; // items that are asked for at once
/** Stores that the operator opened. @type {import('@preact/signals').Signal<Run[]>} */
export const runs = signal([]);
/** What was read of each, by id. @type {import('@preact/signals').Signal<Record<string, any>>} */
const documents = signal({});
/** An item that was opened as a case. @type {import('@preact/signals').Signal<{ run: string, doc: any } | null>} */
const opened = signal(null);

export async function loadRuns() {
  runs.value = await getJson('/v1/runs');
}

/** Reads a store again: after a test or a decision. @param {string} run */
async function load(run) {
  try {
    documents.value = { ...documents.value, [run]: await getJson(`/v1/runs/${run}/documents/summary`) };
  } catch (error) {
    failure.value = wordsOf(error);
  }
}

/** @param {Run} run @returns {Source} */
function sourceOf(run) {
  return {
    items: remembering((numbers) => getJson(`/v1/runs/${run.run}/items?numbers=${numbers.join()}`), MANY),
    points: async (target, space, plane) => {
      const answer = await request(`/v1/runs/${run.run}/points?${new URLSearchParams({ target: String(target), space, plane })}`);
      const rows = new Float32Array(await answer.arrayBuffer());
      const [numbers, at] = [new Uint32Array(rows.length / 3), new Float32Array((2 * rows.length) / 3)];
      for (let n = 0; n < numbers.length; n++) {
        numbers[n] = rows[3 * n];
        at[2 * n] = rows[3 * n + 1];
        at[2 * n + 1] = rows[3 * n + 2];
      }
      return { numbers, at };
    },
    Act: (/** @type {any} */ props) => html`<${Act} run=${run} ...${props} />`,
    Open: run.computes ? (/** @type {{ one: Item }} */ { one }) => html`<p><button type="button" class="plain" onClick=${() => openCase(run, one)}>Explain this one</button></p>` : undefined,
  };
}

/** An item, explained anew by the methods of the run. @param {Run} run @param {Item} one */
async function openCase(run, one) {
  const found = await compute(`Explaining ${one.key}`, `runs/${run.run}/cases`, { item: one.item });
  if (!found) return;
  opened.value = { run: run.run, doc: found.doc };
  requestAnimationFrame(() => document.querySelector('.opened')?.scrollIntoView());
}

/** Audits, or evaluations: `#/audit/CLASS/CLUSTER`, with the store behind them where there are several. @param {{ kind: string }} props */
function Stored({ kind }) {
  const own = runs.value.filter((one) => one.kind === kind);
  const [, ...parts] = route.value;
  const [named] = parts.filter((part) => own.some((one) => one.run === part));
  const run = own.find((one) => one.run === named) ?? own[0];
  const rest = parts.filter((part) => part !== named);
  const doc = run && documents.value[run.run];
  useEffect(() => {
    opened.value = null;
    if (run && !doc) void load(run.run);
  }, [run]);
  const source = useMemo(() => run && sourceOf(run), [run]);
  if (!run) return html`<header><h1>No ${kind} is open</h1><p>Start the page with a store: pellucid serve runs/x</p></header>`;
  const link = (/** @type {(string | number)[]} */ ...more) => linkTo(kind, ...(own.length > 1 ? [run.run] : []), ...more.map(String));
  return html`${own.length > 1 && html`<nav class="pages" aria-label="Stores">${own.map((one) => html`<a href=${linkTo(kind, one.run)} aria-current=${one === run ? 'page' : undefined}>${one.name}</a>`)}</nav>`}
    ${run.done < run.shards && html`<p class="warning"><strong>Not finished.</strong> ${run.done} of ${run.shards} parts are computed: type the same command again, and it goes on.</p>`}
    ${opened.value && html`<div class="opened"><p><button type="button" class="plain" onClick=${() => (opened.value = null)}>Close</button></p><${Page} doc=${opened.value.doc} /></div>`}
    ${doc ? (kind === 'audit' ? html`<${AuditView} doc=${doc} source=${source} place=${{ parts: rest, link }} />` : html`<${Evaluation} run=${run} doc=${doc} source=${source} />`) : html`<p role="status">The store is being read.</p>`}
    ${doc && html`<p><${Download} path=${`/v1/runs/${run.run}/report.html`} name=${`${run.name}.html`} label="Report: all of this in one file" /></p>`}`;
}

export const AuditsView = () => html`<${Stored} kind="audit" />`;
export const EvaluationsView = () => html`<${Stored} kind="evaluation" />`;

/** @param {{ run: Run, doc: any, source: any }} props */
function Evaluation({ run, doc, source }) {
  const draw = async () => {
    const found = await compute('Drawing removal curves', `runs/${run.run}/curves`, {});
    if (found) documents.value = { ...documents.value, [run.run]: { ...doc, curves: found.doc.curves } };
  };
  return html`<${EvaluationApp} doc=${doc} source=${source}>${!doc.curves.length && run.computes && html`<p><button type="button" class="plain" onClick=${draw}>Draw removal curves</button> <span class="faint">of the first items, with the network.</span></p>`}<//>`;
}

/** Test a cluster, and decide about it. @param {{ run: Run, one: Cluster, doc: any }} props */
function Act({ run, one, doc }) {
  const test = async () => {
    const found = await compute('Taking the mark away, and pasting it', `runs/${run.run}/tests`, { cluster: one.id });
    if (!found) return;
    announcement.value = found.doc.sentence;
    await load(run.run);
  };
  return html`${run.computes ? html`<p><button type="button" class="plain main-act" onClick=${test}>${one.verdict ? 'Test it again' : 'Test it'}</button></p>` : html`<p class="faint">The store does not say which model it was: test it in Python, with a.confirm(${one.id}).</p>`}
    <${Decide} run=${run} one=${one} doc=${doc} />
    <${Past} doc=${doc} list=${doc.decisions.filter((/** @type {any} */ each) => each.cluster === one.id)} />`;
}

/** @param {{ run: Run, one: Cluster, doc: any }} props */
function Decide({ run, one, doc }) {
  const allowed = Object.entries(doc.choices).filter(([name]) => name !== 'artefact' || one.verdict?.confirmed);
  const [decision, setDecision] = useState('');
  const [name, setName] = useState(sessionStorage.getItem('pellucid-name') ?? '');
  const [note, setNote] = useState('');
  const [said, setSaid] = useState('');
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const body = JSON.stringify({ cluster: one.id, decision, name: name.trim(), note: note.trim() });
      await request(`/v1/runs/${run.run}/decisions`, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
      sessionStorage.setItem('pellucid-name', name.trim());
      setNote('');
      setSaid('Kept.');
      await load(run.run);
    } catch (error) {
      setSaid(wordsOf(error));
    }
  };
  return html`<form class="decide" onSubmit=${send}><h3>Decide</h3>
    <div class="choices" role="radiogroup" aria-label="Decision">${allowed.map(([value, words]) => html`<label><input type="radio" name="decision" value=${value} checked=${decision === value} onChange=${() => setDecision(value)} /> ${words}</label>`)}</div>
    ${!one.verdict?.confirmed && html`<p class="faint">More can be said of it once a test has confirmed it.</p>`}
    <div class="fields"><label class="field"><span>Your name</span><input type="text" maxlength="80" autocomplete="name" value=${name} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} /></label>
    <label class="field"><span>Note</span><textarea rows="2" maxlength="2000" dir="auto" value=${note} onInput=${(/** @type {any} */ event) => setNote(event.currentTarget.value)} /></label></div>
    <p><button type="submit" class="plain" disabled=${!decision || !name.trim()}>Keep the decision</button> <span role="status">${said}</span></p></form>`;
}
