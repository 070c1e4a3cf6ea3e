import { useMemo } from 'preact/hooks';
import { figure, withSign } from '../data/numbers.js';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { Legend } from '../parts/legend.js';
import { MapCanvas } from '../parts/map-canvas.js';
import { settings } from '../settings.js';
import { derive } from './derived.js';
import { Board, Empty } from './layout.js';
import { SideBySide } from './side.js';
import { groundStyle } from './stage.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Layer} Layer */
/** @typedef {import('../types.js').Curves} Curves */

const TALL = 100;

/** Signals over time, each on the colours of its map, with a cursor. @param {{ open: Case, subject: Curves }} props */
export function CurvesCase({ open, subject }) {
  const layer = open.layer.value;
  const values = useValues(layer);
  const [, stretches] = layer.shape;
  const place = open.place.value;
  const column = place === null ? null : place % stretches;
  const channel = place === null ? 0 : Math.floor(place / stretches);
  const move = (/** @type {KeyboardEvent} */ event) => {
    const [down, right] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] ?? [0, 0];
    if (!down && !right) return;
    event.preventDefault();
    const stride = Math.max(1, Math.round(stretches / (event.shiftKey ? 20 : 200)));
    const next = Math.max(0, Math.min(stretches - 1, (column ?? 0) + right * stride));
    open.place.value = Math.max(0, Math.min(subject.channels.length - 1, channel + down)) * stretches + next;
  };
  return html`<${Board} open=${open}>
    <${Empty} layer=${layer} />
    <div class="curves" tabindex="0" role="group" aria-roledescription="chart" aria-label="Signals over time. Arrow keys move a cursor that reads values." onKeyDown=${move} onPointerLeave=${() => (open.place.value = null)}>
      ${subject.channels.map((_, n) => html`<${Channel} key=${n} open=${open} subject=${subject} n=${n} values=${values} column=${column} chosen=${place !== null && n === channel} />`)}
      <${Axis} subject=${subject} />
    </div>
    <p class="readout" role="status">${column !== null && values ? tell(subject, layer, values, channel, column) : html`<span class="faint">Point at a signal, or use the arrow keys on it, to read values.</span>`}</p>
    ${subject.omitted > 0 && html`<p class="faint">${subject.omitted} channels that say least are left out.</p>`}
    <${Legend} layer=${layer} layers=${open.layers} />
  <//>
  <${SideBySide} open=${open} paint=${(/** @type {Layer} */ one) => html`<${Strips} layer=${one} open=${open} subject=${subject} />`} />`;
}

/** @param {{ open: Case, subject: Curves, n: number, values: Float32Array | null, column: number | null, chosen: boolean }} props */
function Channel({ open, subject, n, values, column, chosen }) {
  const layer = open.layer.value;
  const [, stretches] = layer.shape;
  const signal = subject.channels[n];
  const path = useMemo(() => pathOf(signal.values), [signal]);
  const row = values && channelLayer(layer, values, n);
  const point = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * stretches);
    open.place.value = n * stretches + Math.max(0, Math.min(stretches - 1, at));
  };
  return html`<div class="channel">
    <p class="name" dir="auto">${signal.name}</p>
    <div class="plot" onPointerMove=${point} style=${{ background: groundStyle(layer) }}>
      ${row && !layer.nothing && !layer.doubt && html`<${MapCanvas} layer=${row} layers=${open.layers} across=${0} opacity=${1} />`}
      <svg viewBox=${`0 0 1000 ${TALL}`} preserveAspectRatio="none" aria-hidden="true"><path class="halo" d=${path} /><path d=${path} /></svg>
      ${column !== null && html`<i class=${chosen ? 'here' : ''} style=${{ left: `${(100 * (column + 0.5)) / stretches}%` }} />`}
    </div>
  </div>`;
}

/** @param {Layer} layer @param {Float32Array} values @param {number} n */
const channelLayer = (layer, values, n) =>
  derive(layer, `channel ${n}`, () => ({ shape: [1, layer.shape[1]], values: Array.from(values.subarray(n * layer.shape[1], (n + 1) * layer.shape[1])), map: null, beyond: null }));

/** A line through the points; gaps where a value is not a number. @param {(number | null)[]} values */
function pathOf(values) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  const [low, high] = [known.reduce((a, b) => Math.min(a, b), Infinity), known.reduce((a, b) => Math.max(a, b), -Infinity)];
  let pen = 'M';
  return values
    .map((value, n) => {
      if (value === null) return void (pen = 'M');
      const y = high > low ? TALL - 4 - ((TALL - 8) * (value - low)) / (high - low) : TALL / 2;
      const point = `${pen}${((1000 * (n + 0.5)) / values.length).toFixed(1)} ${y.toFixed(1)}`;
      pen = 'L';
      return point;
    })
    .join('');
}

/** @param {Curves} subject */
const timeOf = (subject) => (/** @type {number} */ share) => (subject.step ? `${figure(share * subject.length * subject.step)} s` : `step ${Math.round(share * subject.length)}`);

/** @param {{ subject: Curves }} props */
function Axis({ subject }) {
  return html`<div class="axis" aria-hidden="true">${[0, 0.25, 0.5, 0.75, 1].map((share) => html`<span>${timeOf(subject)(share)}</span>`)}</div>`;
}

/** @param {Curves} subject @param {Layer} layer @param {Float32Array} values @param {number} channel @param {number} column */
function tell(subject, layer, values, channel, column) {
  const [, stretches] = layer.shape;
  const signal = subject.channels[channel];
  const level = signal.values[Math.floor(((column + 0.5) / stretches) * signal.values.length)];
  return `${signal.name} at ${timeOf(subject)((column + 0.5) / stretches)}: ${figure(level)}${subject.unit ? ` ${subject.unit}` : ''}, contribution ${withSign(values[channel * stretches + column], layer.signed)}`;
}

/** All channels of a layer as strips of colour. @param {{ layer: Layer, open: Case, subject: Curves }} props */
function Strips({ layer, open, subject }) {
  const values = useValues(layer);
  void settings.view.value;
  return html`<span class="strips">${values && subject.channels.map((_, n) => html`<span style=${{ background: groundStyle(layer) }}><${MapCanvas} layer=${channelLayer(layer, values, n)} layers=${open.layers} across=${0} opacity=${1} /></span>`)}</span>`;
}
