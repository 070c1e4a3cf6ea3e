import { useEffect, useMemo, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Buttons } from '../parts/choice.js';
import { announcement } from '../settings.js';
import { Grid, List, Shown, useItems } from './items.js';
import { Scatter } from './scatter.js';

/** @typedef {import('./source.js').Source} Source */
/** @typedef {import('./source.js').Points} Points */

const SPACES = [{ name: 'where', label: 'Where evidence lies' }, { name: 'what', label: 'Which channels carry it' }];
const PLANES = [{ name: 'clusters', label: 'Clusters apart' }, { name: 'components', label: 'Most variance' }];
/** @type {Record<string, [string, string]>} */
const AXES = {
  clusters: ['the line along which the clusters differ most', 'the next such line'],
  components: ['the first principal component', 'the second'],
};

/**
 * Points, a list and pictures that hang together: what is chosen in one is chosen in all.
 *
 * @param {{ source: Source, target: number, spaces: string[], members: number[], shown: { says: string, numbers: number[] }, show: (says: string, numbers: number[]) => void, grid: [number, number], cluster?: import('./source.js').Cluster, space?: string, kept: string }} props
 *   `shown` is what the pictures show, and why.
 */
export function Explore({ source, target, spaces, members, shown, show, grid, cluster, space: first = 'where', kept }) {
  const [space, setSpace] = useState(spaces.includes(first) ? first : spaces[0]);
  const [plane, setPlane] = useState(target < 0 ? 'components' : 'clusters');
  const [points, setPoints] = useState(/** @type {Points | null} */ (null));
  useEffect(() => {
    let wanted = true;
    source.points(target, space, plane).then((found) => wanted && setPoints(found), () => {});
    return () => void (wanted = false);
  }, [source, target, space, plane]);
  const own = useMemo(() => new Set(members), [members]);
  const mark = cluster?.mark;
  const corners = useMemo(() => new Map((cluster?.members ?? []).map((number, n) => [number, /** @type {any} */ (mark).corners[n]])), [cluster]);
  const [x, y] = AXES[plane];
  return html`<section class="explore"><h2>${target < 0 ? 'All inputs as points' : 'The class as points'}</h2>
    <p class="faint">Every point is ${kept === 'pictures' || kept === 'tensor' ? 'a picture' : 'an input'}. Points that lie together are explained alike.${members.length ? ' Coloured: ' : ''}${members.length ? (cluster ? 'this cluster.' : (target < 0 ? 'the most suspicious cluster.' : 'inputs in a cluster.')) : ''}${plane === 'clusters' ? ' These axes were chosen to tell clusters apart; "most variance" knows nothing of them.' : ''}</p>
    <div class="tools">
      ${spaces.length > 1 && html`<${Buttons} label="Explained alike by" options=${SPACES} value=${space} choose=${setSpace} />`}
      ${target >= 0 && html`<${Buttons} label="Axes" options=${PLANES} value=${plane} choose=${setPlane} />`}
    </div>
    <${Linked} source=${source} points=${points} members=${own} first=${members} shown=${shown} show=${show} grid=${grid} corners=${corners} mark=${mark} x=${x} y=${y} />
  </section>`;
}

/**
 * A scatter, a list and a grid of the same items.
 *
 * @param {{ source: Source, points: Points | null, members: Set<number>, first?: number[], shown: { says: string, numbers: number[] }, show: (says: string, numbers: number[]) => void, grid: [number, number], corners?: any, mark?: any, x: string, y: string, value?: (number: number) => string, facts?: any, order?: number[] }} props
 */
export function Linked({ source, points, members, first = [], shown, show, grid, corners, mark, x, y, value, facts, order }) {
  const chosen = useMemo(() => new Set(shown.numbers), [shown]);
  const listed = useMemo(() => order ?? [...first, ...Array.from(points?.numbers ?? []).filter((number) => !members.has(number))], [points, members, order]);
  const pick = (/** @type {number[]} */ numbers) => {
    show(numbers.length === 1 ? 'one input' : 'inputs inside the line', numbers);
    announcement.value = `${numbers.length} chosen`;
  };
  const toggle = (/** @type {number[]} */ numbers) => {
    const kept = new Set(shown.says === 'chosen from the list' ? shown.numbers : []);
    for (const number of numbers) if (!kept.delete(number)) kept.add(number);
    show('chosen from the list', [...kept]);
    announcement.value = `${kept.size} chosen`;
  };
  return html`<div class="linked">
    <div><${Pointed} source=${source} grid=${grid} value=${value}>${(/** @type {any} */ point) => points ? html`<${Scatter} points=${points} members=${members} chosen=${chosen} choose=${pick} point=${point} label="Inputs as points" x=${x} y=${y} />` : html`<p role="status">The points are being computed.</p>`}<//>
      <details class="data"><summary>The same as a list of ${listed.length.toLocaleString('en')}: arrow keys and Space choose</summary>
        <${List} source=${source} numbers=${listed} chosen=${chosen} toggle=${toggle} label="Inputs" grid=${grid} value=${value} /></details></div>
    <div><h3 aria-live="polite">${shown.numbers.length.toLocaleString('en')} ${shown.says}</h3>
      <${Grid} source=${source} numbers=${shown.numbers} grid=${grid} corners=${corners} mark=${mark} facts=${facts} label=${shown.says} /></div>
  </div>`;
}

/** What is pointed at, beside the scatter. @param {{ source: Source, grid: [number, number], value?: (number: number) => string, children?: any }} props */
function Pointed({ source, grid, value, children }) {
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const [one] = useItems(source, at === null ? [] : [at]);
  return html`${children(setAt)}<p class="pointed">${at !== null && one?.item === at
    ? html`<span class="tiny">${one.src && html`<${Shown} one=${one} grid=${grid} maps=${true} />`}</span><span dir="auto">${one.key}${one.predicted ? `, taken for ${one.predicted}` : ''} ${value ? value(at) : ''}</span>`
    : html`<span class="faint">Point at a point to see what it is.</span>`}</p>`;
}
