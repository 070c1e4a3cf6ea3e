import { computed, effect, signal } from '@preact/signals';
import { announcement } from '../settings.js';
import { Failure, ask, forget, getJson, takeToken } from './api.js';

/**
 * @typedef {{ name: string, family: string, signed: boolean, summary: string, paper: string, year: number, repeats: boolean, works: boolean, reason: string }} Method
 * @typedef {{ name: string, kind: string, output: number[], parameters: number | null }} Layer
 * @typedef {{ name: string, unit: string, values: string[] }} Column
 * @typedef {{ name: string, source: string, fingerprint: string | null, reads: string, labels: string[], notes: string[], columns: Column[] | null, profile: string, roots: string[], version: string }} Model
 * @typedef {{ id: string, kind: string, name: string, rows: number | null, hash?: string, text?: string, table?: { head: string[], rows: string[][] }, before?: Before }} Input
 * @typedef {{ doc: any, says: string }} Before The answer to what an input was before it was edited.
 * @typedef {{ method: string, target: string, versus: string, row: number }} Question
 * @typedef {{ what: string, kind: string, progress: import('./api.js').Progress | null, stop: () => void }} Work
 */

/** The view for people who decide about others. */
export const clinic = document.body.dataset.profile === 'clinic';
/** @type {import('@preact/signals').Signal<Model | null>} */
export const model = signal(null);
/** @type {import('@preact/signals').Signal<Method[]>} */
export const methods = signal([]);
/** @type {import('@preact/signals').Signal<Layer[]>} */
export const layers = signal([]);
/** Layers whose output has channels. */
export const layersWithUnits = computed(() => layers.value.filter((one) => one.output.length >= 2 && one.output[1] > 1));
/** What one pass through the network told. @type {import('@preact/signals').Signal<{ card: any, reason: string } | null>} */
export const card = signal(null);
/** What is asked about. @type {import('@preact/signals').Signal<Input | null>} */
export const input = signal(null);
/** What is asked. @type {import('@preact/signals').Signal<Question>} */
export const question = signal({ method: 'lrp', target: '', versus: '', row: 0 });
/** What was asked before, for undo. @type {import('@preact/signals').Signal<{ input: Input | null, question: Question }[]>} */
export const past = signal([]);
/** What went wrong last, in words. */
export const failure = signal('');
/** Does once more what failed, where that can help. @type {import('@preact/signals').Signal<(() => void) | null>} */
export const again = signal(null);
/** What is being computed. @type {import('@preact/signals').Signal<Work | null>} */
export const work = signal(null);
/** Grows when the same is to be asked once more, after a failure. */
export const tries = signal(0);

takeToken(); // before the address is read
const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
  scrollTo(0, 0);
});
/** The parts of the address: `#/units/stages.4/17` is ["units", "stages.4", "17"]. */
export const route = computed(() => hash.value.replace(/^#\/?/, '').split('/').filter(Boolean).map(decoded));

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
}

/** @param {string[]} parts */
export const linkTo = (...parts) => `#/${parts.map(encodeURIComponent).join('/')}`;

/** What there is, once the model is loaded. */
export async function begin() {
  failure.value = '';
  try {
    model.value = await getJson('/v1/model');
    document.title = `pellucid: ${model.value?.name}`;
    [methods.value, layers.value, card.value] = await Promise.all(['methods', 'layers', 'card'].map((what) => getJson(`/v1/${what}`)));
  } catch (error) {
    failure.value = wordsOf(error);
    again.value = begin;
  }
}

const KEPT = 'pellucid-work'; // in this tab: the question survives a reload, its input stays with the server

/** Goes on where this tab was before a reload. People's pictures are not kept: where they decide about others, a closed page forgets. */
export function resume() {
  if (clinic) return void addEventListener('pagehide', () => input.value && forget(input.value.id));
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null');
    if (kept) [input.value, question.value] = [kept.input, kept.question];
  } catch {
    sessionStorage.removeItem(KEPT);
  }
  effect(() => keep(JSON.stringify({ input: input.value && { ...input.value, before: undefined }, question: question.value })));
}

/** @param {string} text */
function keep(text) {
  try {
    sessionStorage.setItem(KEPT, text);
  } catch {
    sessionStorage.removeItem(KEPT); // larger than what a tab may keep: a reload begins anew
  }
}

/** @param {unknown} error */
export const wordsOf = (error) => (error instanceof Failure ? error.message : `The page failed: ${error}`);

/** Remembers what is asked, for undo. */
const remember = () => void (past.value = [...past.value.slice(-49), { input: input.value, question: question.value }]);

const AT_ONCE = 600; // milliseconds in which steps through the choices of one field are one change
let last = { fields: '', at: 0 };

/** Changes the question, and remembers the one before. @param {Partial<Question>} change */
export function change(change) {
  if (Object.entries(change).every(([name, value]) => /** @type {any} */ (question.value)[name] === value)) return;
  const [fields, at] = [Object.keys(change).join(), performance.now()];
  if (fields !== last.fields || at - last.at > AT_ONCE) remember();
  last = { fields, at };
  question.value = { ...question.value, ...change };
}

/** Takes another input, and remembers the one before. @param {Input} next @param {Partial<Question>} [changes] */
export function take(next, changes = {}) {
  remember();
  last.fields = '';
  input.value = next;
  question.value = { ...question.value, ...changes };
}

/** Goes back to the question before. */
export function undo() {
  const before = past.value.at(-1);
  if (!before) return;
  past.value = past.value.slice(0, -1);
  last.fields = '';
  input.value = before.input;
  question.value = before.question;
  announcement.value = 'Undone';
}

/** What is asked, as one word: an answer belongs to it or not. */
export const asked = computed(() => JSON.stringify([input.value?.id, question.value]));

/** The fields of a request about the input. @param {Partial<Question>} [changes] */
export function about(changes = {}) {
  const { target, versus, row } = { ...question.value, ...changes };
  return { input: input.value?.id, row, target: named(target), versus: named(versus) };
}

/** A class as it is sent: a name, a number, or nothing. @param {string} text */
const named = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim() || null);

/** The number of the class that a target begins with, where it does. @param {string} target */
export const classOf = (target) => /(?:^| )(\d+)(?: |$)/.exec(target)?.[1] ?? '';

/** A class as it is typed: its name where no other has it, else its number. @param {{ index: number, label: string }} one */
export function typed({ index, label }) {
  const names = model.value?.labels ?? [];
  const clear = label && !/^\d+$/.test(label.trim()) && names.filter((name) => name === label).length === 1;
  return clear ? label : String(index);
}

/**
 * Does one thing at a time: what ran before is cancelled, and what comes of it is dropped. Null where it failed or was cancelled; the
 * failure is shown.
 *
 * @template T
 * @param {string} what In words, for the line of progress.
 * @param {string} kind "answer" is what the view is about: others wait for it, and it can be asked once more.
 * @param {(tell: (progress: object) => void, signal: AbortSignal) => Promise<T>} act
 * @returns {Promise<T | null>}
 */
export async function busy(what, kind, act) {
  work.value?.stop();
  const control = new AbortController();
  /** @type {Work} */
  const own = { what, kind, progress: null, stop: () => control.abort() };
  work.value = own;
  failure.value = '';
  const tell = (/** @type {object} */ progress) => void (work.value?.stop === own.stop && (work.value = { ...own, progress: { ...work.value.progress, ...progress } }));
  try {
    const found = await act(tell, control.signal);
    return control.signal.aborted ? null : found;
  } catch (error) {
    if (!control.signal.aborted) [failure.value, again.value] = [wordsOf(error), kind === 'answer' ? () => tries.value++ : null];
    else if (work.value?.stop === own.stop) announcement.value = 'Cancelled';
    return null;
  } finally {
    if (work.value?.stop === own.stop) work.value = null;
  }
}

/**
 * Asks the server.
 *
 * @param {string} what
 * @param {string} route
 * @param {object} body
 * @param {string} [kind]
 * @returns {Promise<{ id: string, doc: any } | null>}
 */
export const compute = (what, route, body, kind = route) => busy(what, kind, (tell, signal) => ask(route, body, tell, signal));
