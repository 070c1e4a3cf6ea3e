// Where the views of an audit and of an evaluation get points and items from: the document itself, or the page's server.

import { inflate } from '../data/decode.js';

/** @typedef {{ item: number, key: string, label?: string | null, meta?: Record<string, string>, explained?: string, predicted?: string, probability?: number, src?: string | null, text?: string | null, map?: string | null }} Item */
/** @typedef {{ numbers: Uint32Array | number[], at: Float32Array }} Points x and y of every item in turn. */
/** @typedef {{ effect: number, low: number, high: number, control: number, more_low: number, more_high: number, flips: number, n: number, imputer: string }} Effect */
/** @typedef {{ confirmed: boolean, sentence: string, removed: Effect, pasted: Effect }} Verdict */
/** @typedef {{ id: number, class: string, target: number, space: string, size: number, members: number[], nearest: number[], medoid: number, sentence: string, suspicion: number, recurrence: number, compactness: number, border: number, separability: number, metadata: number, share_of_class: number, accuracy: number | null, accuracy_of_rest: number | null, enrichment: { column: string, value: string, share: number, of_all: number, p: number, q: number }[], units: { layer: string, channel: number, share_more: number, portrait?: string }[], eigenvalues: number[], mean: string | null, mark: { side: number, fixed: boolean, grid: [number, number], corners: [number, number][] }, verdict: Verdict | null, remedy?: any }} Cluster */
/** @typedef {{ name: string, target: number, items: number, suspicion: number, clusters: number[], accuracy: number, odd: number[] }} Class */
/** @typedef {{ cluster: number, decision: string, name: string, note: string, time: string }} Decision */
/** @typedef {Omit<import('../types.js').Doc, 'classes'> & { count: number, kept: string, grid: [number, number], spaces: string[], classes: Class[], clusters: Cluster[], decisions: Decision[], choices: Record<string, string>, packed?: any }} Audit */

/**
 * @typedef {object} Source
 * @property {(target: number, space: string, plane: string) => Promise<Points>} points
 * @property {(numbers: number[]) => Promise<Item[]>} items
 * @property {any} [Act] What can be done about a cluster.
 * @property {any} [Open] What opens an item as a case.
 */

const MOST = 4000; // items that are remembered

/** Remembers what was asked for. @param {(numbers: number[]) => Promise<Item[]>} ask @param {number} many At once. @returns {Source['items']} */
export function remembering(ask, many) {
  /** @type {Map<number, Item>} */
  const known = new Map();
  return async (numbers) => {
    const missing = numbers.filter((number) => !known.has(number));
    for (let n = 0; n < missing.length; n += many) {
      for (const one of await ask(missing.slice(n, n + many))) known.set(one.item, one);
    }
    const found = /** @type {Item[]} */ (numbers.map((number) => known.get(number)).filter(Boolean));
    if (known.size > MOST) known.clear();
    return found;
  };
}

const words = async (/** @type {string} */ packed) => new TextDecoder().decode(await inflate(packed)).split('\n');
const u16 = async (/** @type {string} */ packed) => new Uint16Array((await inflate(packed)).buffer);
export const u32 = async (/** @type {string} */ packed) => new Uint32Array((await inflate(packed)).buffer);
export const f32 = async (/** @type {string} */ packed) => new Float32Array((await inflate(packed)).buffer);

/** What a report holds of its items: names of all, pictures of many. @param {any} packed @returns {Promise<(number: number) => Item>} */
async function namesOf(packed) {
  const keys = await words(packed.keys);
  /** @type {Map<number, Item>} */
  const shown = new Map(packed.shown.map((/** @type {Item} */ one) => [one.item, one]));
  return (number) => ({ item: number, key: keys[number], ...shown.get(number) });
}

/** @param {Audit} doc @returns {Source} */
export function sourceOfAudit(doc) {
  const packed = doc.packed;
  const known = (async () => {
    const [named, order, explained, predicted, probability] = await Promise.all([
      namesOf(packed), u32(packed.order), u16(packed.explained), u16(packed.predicted), inflate(packed.probability),
    ]);
    const places = new Map(Array.from(order, (number, place) => [number, place]));
    return (/** @type {number} */ number) => {
      const place = places.get(number) ?? 0;
      return { ...named(number), explained: packed.names[explained[place]], predicted: packed.names[predicted[place]], probability: (probability[place] & 255) / 255 };
    };
  })();
  return {
    items: async (numbers) => numbers.map(await known),
    points: async (target, space, plane) => {
      const own = (/** @type {any} */ one) => one.target === target && one.space === space;
      const found = packed.points.find((/** @type {any} */ one) => own(one) && one.plane === plane) ?? packed.points.find(own);
      return { numbers: await u32(found.numbers), at: Float32Array.from(await u16(found.at)) };
    },
  };
}

/** @param {any} judged Of the document of an evaluation. @returns {Source} */
export function sourceOfEvaluation(judged) {
  const known = namesOf(judged);
  return { items: async (numbers) => numbers.map(await known), points: () => Promise.reject(new Error('An evaluation has scores, no planes.')) };
}
