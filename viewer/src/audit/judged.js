import { useEffect, useMemo, useState } from 'preact/hooks';
import { figure } from '../data/numbers.js';
import { html } from '../html.js';
import { Select } from '../parts/choice.js';
import { Linked } from './explore.js';
import { factsOf } from './items.js';
import { f32, sourceOfEvaluation, u32 } from './source.js';

/** @typedef {import('./source.js').Source} Source */
/** @typedef {import('./source.js').Item} Item */

const WORST = 24;

/**
 * The score of every item: two methods beside each other, the worst items first.
 *
 * @param {{ doc: any, source?: Source | null }} props Without a source, the document holds names and pictures.
 */
export function JudgedItems({ doc, source = null }) {
  const from = useMemo(() => source ?? sourceOfEvaluation(doc.judged), [doc, source]);
  const names = Object.keys(doc.judged.scores).map((name) => name.split('|'));
  const ranked = /** @type {[string, string][]} */ (doc.rows ?? []).map((/** @type {any} */ row) => [row.method, row.metric]).filter((/** @type {string[]} */ pair) => names.some((one) => one.join() === pair.join()));
  const methods = [...new Set(ranked.map(([method]) => method))];
  const metrics = [...new Set(ranked.map(([, metric]) => metric))];
  const [metric, setMetric] = useState(metrics[0]);
  const [first, setFirst] = useState(methods[0]);
  const [other, setOther] = useState(methods[1] ?? methods[0]);
  const [scores, setScores] = useState(/** @type {{ numbers: Uint32Array, values: Record<string, Float32Array> } | null} */ (null));
  useEffect(() => {
    const packed = Object.entries(doc.judged.scores);
    Promise.all([u32(doc.judged.order), ...packed.map(([, one]) => f32(one))]).then(([numbers, ...columns]) =>
      setScores({ numbers: /** @type {Uint32Array} */ (numbers), values: Object.fromEntries(packed.map(([name], n) => [name, /** @type {Float32Array} */ (columns[n])])) }));
  }, [doc]);
  const choose = (/** @type {string[]} */ list) => list.map((name) => ({ name, label: name }));
  return html`<section class="explore"><h2>Item by item</h2>
    <div class="tools fields"><${Select} label="Metric" options=${choose(metrics)} value=${metric} choose=${setMetric} />
      <${Select} label="Across" options=${choose(methods)} value=${first} choose=${setFirst} /><${Select} label="Up" options=${choose(methods)} value=${other} choose=${setOther} /></div>
    ${scores && html`<${Pair} key=${`${metric} ${first} ${other}`} doc=${doc} source=${from} scores=${scores} metric=${metric} first=${first} other=${other} methods=${methods} />`}
  </section>`;
}

/** @param {{ doc: any, source: Source, scores: { numbers: Uint32Array, values: Record<string, Float32Array> }, metric: string, first: string, other: string, methods: string[] }} props */
function Pair({ doc, source, scores, metric, first, other, methods }) {
  const { numbers, values } = scores;
  const [xs, ys] = [values[`${first}|${metric}`], values[`${other}|${metric}`]];
  const higher = (doc.rows ?? []).find((/** @type {any} */ row) => row.metric === metric)?.better !== 'lower';
  const rows = useMemo(() => Array.from(numbers, (_, row) => row).filter((row) => !Number.isNaN(xs[row]) && !Number.isNaN(ys[row])).sort((a, b) => (higher ? 1 : -1) * (xs[a] - xs[b])), [xs, ys]);
  const place = useMemo(() => new Map(Array.from(numbers, (number, row) => [number, row])), [numbers]);
  const order = useMemo(() => rows.map((row) => numbers[row]), [rows]);
  const points = useMemo(() => ({ numbers: order, at: Float32Array.from(rows.flatMap((row) => [xs[row], ys[row]])) }), [rows]);
  const [shown, setShown] = useState({ says: `with the worst ${metric} by ${first}`, numbers: order.slice(0, WORST) });
  const score = (/** @type {number} */ number, /** @type {string} */ method) => figure(values[`${method}|${metric}`][/** @type {number} */ (place.get(number))]);
  const value = (/** @type {number} */ number) => `${score(number, first)}, ${score(number, other)}`;
  const facts = (/** @type {Item} */ one) => html`${factsOf(one)}<dl class="facts">${methods.map((method) => html`<div><dt>${method}</dt><dd>${score(one.item, method)}</dd></div>`)}</dl>`;
  const members = useMemo(() => /** @type {Set<number>} */ (new Set()), []);
  const range = (/** @type {Float32Array} */ all) => `${figure(rows.reduce((low, row) => Math.min(low, all[row]), Infinity))} to ${figure(rows.reduce((most, row) => Math.max(most, all[row]), -Infinity))}`;
  return html`<p class="faint">Every point is an item. ${higher ? 'Higher' : 'Lower'} is better.</p>
    <${Linked} source=${source} points=${points} members=${members} order=${order} shown=${shown} show=${(/** @type {string} */ says, /** @type {number[]} */ chosen) => setShown({ says, numbers: chosen })}
      grid=${[1, 1]} x=${`${metric} of ${first}, ${range(xs)}`} y=${`${metric} of ${other}, ${range(ys)}`} value=${value} facts=${facts} />`;
}
