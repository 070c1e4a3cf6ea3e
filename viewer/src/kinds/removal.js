import { figure } from '../data/numbers.js';
import { html } from '../html.js';
import { DataTable } from '../parts/data-table.js';

/** @typedef {import('../types.js').Curve} Curve */

const [WIDE, TALL, LEFT, BELOW] = [640, 300, 52, 30];
// Hues that stay apart for colour-blind readers (Okabe and Ito, 2008); dashes tell them apart in grey.
const INKS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#808080', '#a65628'];
const DASHES = ['', '7 3', '2 3', '10 3 2 3', '5 5', '1 4', '12 4', '3 6'];
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** Curves of every metric, a line for each method. @param {{ curves: Curve[] }} props */
export function Curves({ curves }) {
  const metrics = [...new Set(curves.map((one) => one.metric))];
  return metrics.map((metric) => html`<section class="removal"><h2>${metric}</h2><${Chart} curves=${curves.filter((one) => one.metric === metric)} metric=${metric} /></section>`);
}

/** @param {{ curves: Curve[], metric: string }} props */
function Chart({ curves, metric }) {
  const { x, y, at } = axesOf(curves);
  /** @param {Curve} one @param {(number | null)[]} values */
  const points = (one, values) => one.x.flatMap((place, n) => (values[n] === null ? [] : [`${x(place).toFixed(1)},${y(Number(values[n])).toFixed(1)}`]));
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${WIDE} ${TALL}`} role="img" aria-label=${`Curves of ${metric} for ${curves.map((one) => one.method).join(', ')}`}>
      ${TICKS.map((share) => {
        const [across, up] = at(share);
        return html`<line class="grid" x1=${LEFT} x2=${WIDE - 8} y1=${y(up)} y2=${y(up)} /><text x=${LEFT - 8} y=${y(up) + 4} text-anchor="end">${figure(up)}</text>
          <text x=${x(across)} y=${TALL - 8} text-anchor=${share === 1 ? 'end' : share ? 'middle' : 'start'}>${figure(across)}</text>`;
      })}
      ${curves.map((one, n) => html`
        ${one.low && one.high && html`<polygon class="band" points=${[...points(one, one.low), ...points(one, one.high).reverse()].join(' ')} fill=${INKS[n % INKS.length]} />`}
        <polyline points=${points(one, one.y).join(' ')} stroke=${INKS[n % INKS.length]} stroke-dasharray=${DASHES[n % DASHES.length]} />`)}
    </svg>
    <figcaption class="key">${curves.map((one, n) => html`<span><svg viewBox="0 0 30 8" aria-hidden="true"><line x1="0" x2="30" y1="4" y2="4" stroke=${INKS[n % INKS.length]} stroke-dasharray=${DASHES[n % DASHES.length]} /></svg><bdi>${one.method}</bdi></span>`)}</figcaption>
    <${DataTable} title="The points of these curves" table=${{ head: ['Method', 'x', 'y', 'Low', 'High'], rows: curves.flatMap(rowsOf) }} />
  </figure>`;
}

/** @param {Curve[]} curves */
function axesOf(curves) {
  const known = curves.flatMap((one) => [...one.y, ...(one.low ?? []), ...(one.high ?? [])]).filter((value) => value !== null);
  const across = curves.flatMap((one) => one.x);
  const [low, high, first, last] = [Math.min(...known, 0), Math.max(...known), Math.min(...across), Math.max(...across)];
  return {
    x: (/** @type {number} */ value) => LEFT + ((WIDE - LEFT - 8) * (value - first)) / (last - first || 1),
    y: (/** @type {number} */ value) => TALL - BELOW - ((TALL - BELOW - 10) * (value - low)) / (high - low || 1),
    at: (/** @type {number} */ share) => [first + share * (last - first), low + share * (high - low)],
  };
}

/** @param {Curve} one */
const rowsOf = (one) => one.x.map((at, n) => [one.method, figure(at), figure(one.y[n]), one.low ? figure(one.low[n]) : '', one.high ? figure(one.high[n]) : '']);
