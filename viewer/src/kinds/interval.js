import { figure } from '../data/numbers.js';
import { html } from '../html.js';

/** @typedef {import('../types.js').Score} Score */

/** A score and its interval, on one line for all methods of the metric. @param {{ row: Score, rows: Score[] }} props */
export function Interval({ row, rows }) {
  if (row.low === null || row.high === null || row.score === null) return null;
  const same = rows.filter((one) => one.metric === row.metric && one.condition === row.condition);
  const known = same.flatMap((one) => [one.low, one.high, one.score, one.floor, one.ceiling]).filter((value) => typeof value === 'number');
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const x = (/** @type {number} */ value) => 2 + (96 * (value - least)) / (most - least || 1);
  const mark = (/** @type {number | null} */ value) => typeof value === 'number' && html`<line class="mark" x1=${x(value)} x2=${x(value)} y1="1" y2="15" />`;
  return html`<span class="interval">
    <svg viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
      ${mark(row.floor)}${mark(row.ceiling)}
      <line x1=${x(row.low)} x2=${x(row.high)} y1="8" y2="8" /><line class="dot" x1=${x(row.score)} x2=${x(row.score)} y1="3" y2="13" />
    </svg><span class="number">${figure(row.low)} to ${figure(row.high)}</span>
  </span>`;
}
