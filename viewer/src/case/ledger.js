import { figure, withSign } from '../data/numbers.js';
import { html } from '../html.js';
import { css, hue, paletteOf } from '../data/palette.js';
import { DataTable } from '../parts/data-table.js';
import { names } from '../parts/names.js';
import { settings } from '../settings.js';
import { dark } from '../theme.js';

/** @typedef {import('../types.js').Ledger} Ledger */

/** Where the score went: bars that start where the one before them ended. @param {{ ledger: Ledger }} props */
export function Waterfall({ ledger }) {
  let sum = 0;
  const bars = ledger.waterfall.map((one) => {
    const whole = one.kind !== 'change';
    const from = whole ? 0 : sum;
    sum = whole ? one.amount : sum + one.amount;
    return { ...one, from, to: sum, whole };
  });
  return html`${ledger.sentence && html`<p dir="auto">${names(ledger.sentence)}</p>`}
    <${Bars} bars=${bars} label="Where the score went" />
    <${DataTable} title="The ledger, operation by operation" table=${tableOf(ledger)} />`;
}

/** @param {Ledger} ledger */
function tableOf(ledger) {
  const rows = ledger.rows.map((one) => [one.where, one.op, one.cause, figure(one.amount)]);
  const rest = ledger.rest?.count ? [['', '', `${ledger.rest.count} smaller ones`, figure(ledger.rest.amount)]] : [];
  const sums = [
    ...rest,
    ['', '', 'the score', figure(ledger.seed)],
    ['', '', 'arrived at the input', figure(ledger.input)],
    ['', '', 'lost on the way', figure(ledger.absorbed)],
    ['', '', 'rounding', figure(ledger.error)],
  ];
  return { head: ['Where', 'Operation', 'Cause', 'Amount'], rows: [...rows, ...sums] };
}

/** The colour of a bar: on dark paper the lighter end of the palette. @param {import('../types.js').Layer} layer */
export const barColour = (layer) => (/** @type {number} */ amount) => {
  const palette = paletteOf(settings.palette.value);
  return palette.name === 'grey' ? undefined : css(hue(palette, (dark.value ? 1e-3 : 1) * Math.sign(amount), layer.signed));
};

/**
 * Horizontal bars from one value to another, as lines of a table.
 *
 * @param {{ bars: { label: string, amount: number, from: number, to: number, whole?: boolean, note?: string }[], label: string, colour?: (amount: number) => string | undefined, words?: (amount: number) => string }} props
 */
export function Bars({ bars, label, colour, words }) {
  const ends = bars.flatMap((one) => [one.from, one.to]).concat(0);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const share = (/** @type {number} */ value) => (100 * (value - low)) / (high - low || 1);
  return html`<table class="bars">
    <caption class="aside">${label}</caption>
    <colgroup><col class="wide" /><col /><col class="narrow" /></colgroup>
    <thead class="aside"><tr><th scope="col">Part</th><th scope="col">Bar</th><th scope="col">Amount</th></tr></thead>
    <tbody>${bars.map(
      (one) => html`<tr class=${one.whole ? 'whole' : ''}>
        <th scope="row" dir="auto">${one.label}${one.note && html` <span class="faint">${one.note}</span>`}</th>
        <td class="track"><div class="line">
          <i class="zero" style=${{ left: `${share(0)}%` }} />
          <i class=${one.amount < 0 ? 'fall' : 'rise'} style=${{
            left: `${Math.min(share(one.from), share(one.to))}%`,
            width: `${Math.abs(share(one.to) - share(one.from))}%`,
            background: colour?.(one.amount),
          }} />
        </div></td>
        <td class="number">${words?.(one.amount) ?? (one.whole ? figure(one.amount) : withSign(one.amount))}</td>
      </tr>`,
    )}</tbody>
  </table>`;
}
