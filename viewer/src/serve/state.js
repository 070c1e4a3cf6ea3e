import { computed, signal } from '@preact/signals';
import { announcement } from '../settings.js';
import { Failure, ask, getJson, takeToken } from './api.js';

/**
 * @typedef {{ name: string, family: string, signed: boolean, summary: string, paper: string, year: number, repeats: boolean, works: boolean, reason: string }} Method
 * @typedef {{ name: string, kind: string, output: number[], parameters: number | null }} Layer
 * @typedef {{ name: string, unit: string, values: string[] }} Column
 * @typedef {{ name: string, source: string, fingerprint: string | null, reads: string, labels: string[], notes: string[], columns: Column[] | null, profile: string, roots: string[], version: string }} Model
 * @typedef {{ id: string, kind: string, name: string, rows: number | null, text?: string, table?: { head: string[], rows: string[][] } }} Input
 */

/** @type {import('@preact/signals').Signal<Model | null>} */
export const model = signal(null);
/** @type {import('@preact/signals').Signal<Method[]>} */
export const methods = signal([]);
/** @type {import('@preact/signals').Signal<Layer[]>} */
export const layers = signal([]);
/** What one pass through the network told. @type {import('@preact/signals').Signal<{ card: any, reason: string } | null>} */
export const card = signal(null);
/** What is asked about. @type {import('@preact/signals').Signal<Input | null>} */
export const input = signal(null);
/** What is asked. */
export const question = signal({ method: 'lrp', target: '', versus: '', row: 0 });
/** What was asked before, for undo. @type {import('@preact/signals').Signal<{ input: Input | null, question: any }[]>} */
export const past = signal([]);
export const failure = signal('');
/** What is being computed. @type {import('@preact/signals').Signal<{ what: string, progress: import('./api.js').Progress | null, stop: () => void } | null>} */
export const work = signal(null);

takeToken(); // before the address is read
const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
  scrollTo(0, 0);
});
/** The parts of the address: `#/units/stages.4/17` is ["units", "stages.4", "17"]. */
export const route = computed(() => hash.value.replace(/^#\/?/, '').split('/').filter(Boolean).map(decodeURIComponent));

/** @param {string[]} parts */
export const linkTo = (...parts) => `#/${parts.map(encodeURIComponent).join('/')}`;

/** What there is, once the model is loaded. */
export async function begin() {
  try {
    model.value = await getJson('/v1/model');
    document.title = `pellucid: ${model.value?.name}`;
    [methods.value, layers.value, card.value] = await Promise.all(['methods', 'layers', 'card'].map((what) => getJson(`/v1/${what}`)));
  } catch (error) {
    failure.value = wordsOf(error);
  }
}

/** @param {unknown} error */
export const wordsOf = (error) => (error instanceof Failure ? error.message : `The page failed: ${error}`);

/** Changes the question, and remembers the one before. @param {Partial<typeof question.value>} change */
export function change(change) {
  if (Object.entries(change).every(([name, value]) => /** @type {any} */ (question.value)[name] === value)) return;
  past.value = [...past.value.slice(-49), { input: input.value, question: question.value }];
  question.value = { ...question.value, ...change };
}

/** Takes another input, and remembers the one before. @param {Input} next @param {Partial<typeof question.value>} [changes] */
export function take(next, changes = {}) {
  past.value = [...past.value.slice(-49), { input: input.value, question: question.value }];
  input.value = next;
  question.value = { ...question.value, ...changes };
}

/** Goes back to the question before. */
export function undo() {
  const last = past.value.at(-1);
  if (!last) return;
  past.value = past.value.slice(0, -1);
  input.value = last.input;
  question.value = last.question;
  announcement.value = 'Undone';
}

/** The fields of a request about the input. */
export function about() {
  const { target, versus, row } = question.value;
  return { input: input.value?.id, row, target: named(target), versus: named(versus) };
}

/** A class as it is sent: a name, a number, or nothing. @param {string} text */
const named = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim() || null);

/**
 * Asks one thing at a time: what ran before is cancelled. Null where it failed or was cancelled; the failure is shown.
 *
 * @param {string} what In words, for the line of progress.
 * @param {string} kind
 * @param {object} body
 * @returns {Promise<{ id: string, doc: any } | null>}
 */
export async function compute(what, kind, body) {
  work.value?.stop();
  const control = new AbortController();
  const own = { what, progress: /** @type {any} */ (null), stop: () => control.abort() };
  work.value = own;
  failure.value = '';
  try {
    const tell = (/** @type {any} */ progress) => work.value?.stop === own.stop && (work.value = { ...own, progress: { ...work.value.progress, ...progress } });
    return await ask(kind, body, tell, control.signal);
  } catch (error) {
    if (!control.signal.aborted) failure.value = wordsOf(error);
    else announcement.value = 'Cancelled';
    return null;
  } finally {
    if (work.value?.stop === own.stop) work.value = null;
  }
}
