import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { figure, percent } from '../data/numbers.js';
import { maskOf } from '../data/outline.js';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { Select } from '../parts/choice.js';
import { active, announcement, markedTokens } from '../settings.js';
import { about, classOf, compute, failure, input, layersWithUnits, linkTo, work } from './state.js';

/**
 * @typedef {{ top: number, left: number, bottom: number, right: number }} Box In pixels of the picture that the model saw.
 * @typedef {{ kind: string, numbers: number[] }} Part
 * @typedef {{ sentence: string, change: number, before: number, after: number, controls: number[], interval: [number, number] | null, larger_controls: number, area: number, predicted: string[], target: string, part: Part }} Hidden
 */

/** Whether a rectangle is being marked. */
export const marking = signal(false);
/** @type {import('@preact/signals').Signal<Box | null>} */
export const box = signal(null);
/** @type {import('@preact/signals').Signal<Hidden | null>} */
export const hidden = signal(null);
/** @type {import('@preact/signals').Signal<any>} */
export const firing = signal(null);
const imputer = signal('blur');
/** Whose units are asked for; null: the layer that the server chooses. @type {import('@preact/signals').Signal<string | null>} */
const unitsOf = signal(null);

const IMPUTERS = [
  { name: 'blur', label: 'Blurred' },
  { name: 'mean', label: 'Mean colour' },
  { name: 'noise', label: 'Noise' },
  { name: 'zero', label: 'Zero' },
];

/** The picture of the case that is open. */
const picture = () => (active.value?.doc.subject?.kind === 'picture' ? active.value.doc.subject : null);

export function clearMarks() {
  marking.value = false;
  box.value = hidden.value = firing.value = null;
}

/** Scrolls a part of the page into view, if it is not. @param {string} selector */
const bring = (selector) => void requestAnimationFrame(() => document.querySelector(selector)?.scrollIntoView({ block: 'nearest' }));

/** Begins to mark a rectangle in the middle, or ends it. */
export function toggleRegion() {
  const subject = picture();
  if (!subject) return;
  marking.value = !marking.value;
  const { width: w, height: h } = subject;
  box.value = marking.value ? { top: Math.round(h * 0.375), left: Math.round(w * 0.375), bottom: Math.round(h * 0.625), right: Math.round(w * 0.625) } : null;
  hidden.value = firing.value = null;
  if (marking.value) bring('.plate .stage');
  announcement.value = marking.value ? 'A region is marked: arrow keys move it, with Shift they change its size.' : 'No region is marked.';
}

/** Moves the rectangle, or its lower right corner; whether the key did. @param {KeyboardEvent} event */
export function moveRegion(event) {
  const step = /** @type {Record<string, number[]>} */ ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] })[event.key];
  const [subject, now] = [picture(), box.value];
  if (!step || !subject || !now || !marking.value || /** @type {Element} */ (event.target).closest?.('[data-roving], input, select')) return false;
  const stride = Math.max(1, Math.round(Math.max(subject.width, subject.height) / 56));
  const [down, right] = [step[0] * stride, step[1] * stride];
  box.value = event.shiftKey
    ? { ...now, bottom: within(now.bottom + down, now.top + stride, subject.height), right: within(now.right + right, now.left + stride, subject.width) }
    : shifted(now, within(down, -now.top, subject.height - now.bottom), within(right, -now.left, subject.width - now.right));
  hidden.value = firing.value = null;
  return true;
}

/** @param {number} value @param {number} low @param {number} high */
const within = (value, low, high) => Math.max(low, Math.min(high, value));
/** @param {Box} one @param {number} down @param {number} right */
const shifted = (one, down, right) => ({ top: one.top + down, bottom: one.bottom + down, left: one.left + right, right: one.right + right });

const PLACE = 1 / 8; // of the picture's sides: the rectangle around a place that was clicked

/** A rectangle around a place: of the size of the one that is marked, or a small one. @param {{ x: number, y: number }} spot @param {{ width: number, height: number }} size @returns {Box} */
function around({ x, y }, { width, height }) {
  const [tall, wide] = box.value ? [box.value.bottom - box.value.top, box.value.right - box.value.left] : [height, width].map((side) => Math.max(1, Math.round(side * PLACE)));
  const top = Math.round(within(y - tall / 2, 0, height - tall));
  const left = Math.round(within(x - wide / 2, 0, width - wide));
  return { top, left, bottom: top + tall, right: left + wide };
}

/** @param {Box} one */
function mark(one) {
  marking.value = true;
  box.value = one;
  hidden.value = firing.value = null;
}

/** The rectangle on the picture: a click marks a place, and while one is marked the pointer draws another. @param {{ width: number, height: number }} props */
export function Marker({ width, height }) {
  const own = useRef(/** @type {HTMLElement | null} */ (null));
  const start = useRef(/** @type {{ x: number, y: number } | null} */ (null));
  const spot = (/** @type {MouseEvent} */ event) => {
    const area = /** @type {HTMLElement} */ (own.current).getBoundingClientRect();
    return { x: within(((event.clientX - area.left) / area.width) * width, 0, width), y: within(((event.clientY - area.top) / area.height) * height, 0, height) };
  };
  useEffect(() => {
    const stage = own.current?.closest('.stage');
    const click = (/** @type {any} */ event) => !marking.value && !event.target.closest('.region, .badge') && mark(around(spot(event), { width, height }));
    stage?.addEventListener('click', click);
    return () => stage?.removeEventListener('click', click);
  }, [width, height]);
  const down = (/** @type {PointerEvent} */ event) => {
    start.current = spot(event);
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!start.current) return;
    const [a, b] = [start.current, spot(event)];
    const [top, bottom, left, right] = [Math.min(a.y, b.y), Math.max(a.y, b.y), Math.min(a.x, b.x), Math.max(a.x, b.x)].map(Math.round);
    if (bottom - top > 1 && right - left > 1) mark({ top, left, bottom, right });
  };
  const up = (/** @type {PointerEvent} */ event) => {
    const [from, to] = [start.current, spot(event)];
    if (from && Math.abs(to.x - from.x) < 2 && Math.abs(to.y - from.y) < 2) mark(around(to, { width, height }));
    start.current = null;
  };
  const one = box.value;
  return html`<div ref=${own} class=${marking.value ? 'marker' : 'marker idle'} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => (start.current = null)}>
    ${one && html`<div class="marked" style=${{ left: `${(100 * one.left) / width}%`, top: `${(100 * one.top) / height}%`, width: `${(100 * (one.right - one.left)) / width}%`, height: `${(100 * (one.bottom - one.top)) / height}%` }} />`}
  </div>`;
}

/** What is marked, as the server takes it; null where nothing is. @returns {Part | null} */
export function markedPart() {
  const [subject, open, one] = [active.value?.doc.subject, active.value, box.value];
  if (!open || !subject) return null;
  if (subject.kind === 'tokens') return markedTokens.value?.size ? { kind: 'places', numbers: [...markedTokens.value].sort((a, b) => a - b) } : null;
  if (subject.kind !== 'picture') return null;
  if (one) return { kind: 'rectangle', numbers: [one.top, one.left, one.bottom, one.right] };
  const region = open.layer.value.regions.find((each) => each.id === open.region.value);
  return region ? { kind: 'mask', numbers: runsOf(enlarged(maskOf(region.rle, open.layer.value.shape[0] * open.layer.value.shape[1]), open.layer.value.shape, subject)) } : null;
}

/** A mask over places of the map as one over pixels of the picture. @param {Uint8Array | boolean[]} mask @param {number[]} shape @param {{ width: number, height: number }} size */
function enlarged(mask, [down, across], { width, height }) {
  const large = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) large[y * width + x] = Number(mask[Math.floor((y * down) / height) * across + Math.floor((x * across) / width)]);
  return large;
}

/** The lengths of runs, the first outside. @param {Uint8Array} mask */
export function runsOf(mask) {
  const runs = [0];
  let now = 0;
  for (const one of mask) {
    if (one !== now) runs.push(0), (now = one);
    runs[runs.length - 1]++;
  }
  return runs;
}

/** What is marked, where it can be asked about now. @returns {Part | null} */
function askable() {
  if (!input.value || !active.value) return null;
  const part = markedPart();
  if (!part) failure.value = 'Mark something first: a place of the picture, a region, or words.';
  else if (work.value?.kind === 'answer') announcement.value = 'The explanation is not there yet.';
  else return part;
  return null;
}

/** Hides what is marked, and measures what changes. */
export async function hideRegion() {
  const part = askable();
  if (!part) return;
  const found = await compute('Hiding it, and random parts of its size', 'probes', { ...about(), ...fixedTarget(), what: 'hide', part, imputer: imputer.value });
  if (!found) return;
  hidden.value = { ...found.doc, part };
  bring('.change');
}

/** Lists the units that answer to what is marked. */
export async function askUnits() {
  const part = askable();
  if (!part || !picture()) return;
  const found = await compute('Looking for units that answer here', 'probes', { input: input.value?.id, what: 'units', part, at: unitsOf.value });
  if (!found) return;
  firing.value = found.doc;
  bring('.firing');
}

/** The class that is explained, where none was named: the one the map is about. */
function fixedTarget() {
  const found = classOf(active.value?.layer.value.target ?? '');
  return about().target === null && !active.value?.layer.value.contrast && found ? { target: Number(found) } : {};
}

/** What can be done with a part of the input. */
export function RegionPanel() {
  const [open, part] = [active.value, markedPart()];
  const values = useValues(open?.layer.value);
  const subject = open?.doc.subject;
  if (!open || !subject || !['picture', 'tokens'].includes(subject.kind)) return null;
  const isPicture = subject.kind === 'picture';
  const waits = !part || work.value?.kind === 'answer';
  return html`<section class="probe" aria-labelledby="probe-title">
    <h2 id="probe-title" class="minor">Test it</h2>
    <p class="faint">${isPicture ? 'Click on the picture, draw a rectangle, or choose a region.' : 'Choose words in the text.'} Hiding it measures on the network itself what it changes, beside random parts of its size.</p>
    ${isPicture && html`<div class="tools"><button type="button" class="plain" aria-pressed=${String(marking.value)} aria-keyshortcuts="R" onClick=${toggleRegion}>Mark a region</button>
      <${Select} label="What stands in its place" options=${IMPUTERS} value=${imputer.value} choose=${(/** @type {string} */ name) => ((imputer.value = name), (hidden.value = null))} /></div>`}
    ${part && values && html`<p class="share">${shareIn(part, open, values)}</p>`}
    <div class="tools">
      <button type="button" class="main" aria-keyshortcuts="H" disabled=${waits} onClick=${hideRegion}>Hide it</button>
      ${isPicture && html`<button type="button" class="plain" aria-keyshortcuts="U" disabled=${waits} onClick=${askUnits}>Units that answer here</button>`}
    </div>
    ${hidden.value && part && html`<${Change} found=${hidden.value} />`}
    ${firing.value && part && html`<${Firing} found=${firing.value} />`}
  </section>`;
}

/** How much of the relevance lies in a part, in words. @param {Part} part @param {import('../settings.js').Case} open @param {Float32Array} values */
function shareIn(part, open, values) {
  const layer = open.layer.value;
  const inside = insideOf(part, open);
  let [sum, positive, negative, all, against] = [0, 0, 0, 0, 0];
  values.forEach((value, n) => {
    value > 0 ? (all += value) : (against += value);
    if (!inside(n)) return;
    sum += value;
    value > 0 ? (positive += value) : (negative += value);
  });
  const share = `Here lies ${percent(all ? positive / all : 0)} of what speaks for${layer.signed ? `, and ${percent(against ? negative / against : 0)} of what speaks against` : ''}`;
  return `${share} (${layer.method}${layer.adds ? `, together ${figure(sum)} of the score` : ''}).`;
}

/** Whether a place of the map lies in the part. @param {Part} part @param {import('../settings.js').Case} open */
function insideOf(part, open) {
  const layer = open.layer.value;
  const subject = /** @type {any} */ (open.doc.subject);
  const [down, across] = layer.shape;
  if (part.kind === 'places') {
    const chosen = new Set(part.numbers);
    return (/** @type {number} */ n) => chosen.has(n);
  }
  if (part.kind === 'mask') {
    const region = layer.regions.find((one) => one.id === open.region.value);
    const mask = region ? maskOf(region.rle, down * across) : [];
    return (/** @type {number} */ n) => Boolean(mask[n]);
  }
  const [top, left, bottom, right] = part.numbers;
  return (/** @type {number} */ n) => {
    const [y, x] = [((Math.floor(n / across) + 0.5) * subject.height) / down, (((n % across) + 0.5) * subject.width) / across];
    return y >= top && y < bottom && x >= left && x < right;
  };
}

/** The change that was measured, among those by random parts. @param {{ found: Hidden }} props */
export function Change({ found }) {
  const all = [...found.controls, found.change, 0];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const at = (/** @type {number} */ value) => 2 + (96 * (value - low)) / (high - low || 1);
  return html`<div class="change" role="status">
    <p dir="auto"><strong>Measured.</strong> ${found.sentence}</p>
    <svg viewBox="0 0 100 9" class="strip" role="img" aria-label=${`Change ${figure(found.change)}; random parts ${found.controls.map((one) => figure(one)).join(', ')}`}>
      <line x1=${at(0)} x2=${at(0)} y1="0" y2="9" class="axis" />
      ${found.controls.map((one) => html`<line x1=${at(one)} x2=${at(one)} y1="2" y2="7" class="control" />`)}
      <circle cx=${at(found.change)} cy="4.5" r="1.6" class="own" />
    </svg>
    <p class="faint">The dot is this part, strokes are random parts; further right, the score falls more. The long line is no change.</p>
  </div>`;
}

/** Units by how much more they answer to the part than elsewhere. @param {{ found: any }} props */
function Firing({ found }) {
  const names = layersWithUnits.value.map((one) => ({ name: one.name, label: one.name }));
  const go = (/** @type {string} */ name) => ((unitsOf.value = name), void askUnits());
  const most = Math.max(...found.units.map((/** @type {any} */ one) => one.inside), 1e-9);
  return html`<div class="firing"><h3>Units that answer here</h3>
    <${Select} label="Layer" options=${names} value=${found.at} choose=${go} />
    <p class="aside" role="status">${found.sentence}</p>
    <ul class="units">${found.units.map((/** @type {any} */ one) => html`<li><a href=${linkTo('units', found.at, String(one.channel))}>Unit ${one.channel}</a>
      <span class="line" aria-hidden="true"><i style=${{ width: `${(100 * Math.max(0, one.inside)) / most}%` }} /><b style=${{ left: `${(100 * Math.max(0, one.outside)) / most}%` }} /></span>
      <span class="number">${figure(one.inside)}<span class="aside"> here, ${figure(one.outside)} elsewhere</span></span></li>`)}</ul>
    <p class="faint">How active they are here; the stroke is how active elsewhere.</p></div>`;
}
