import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { html } from '../html.js';
import { dark, paper } from '../theme.js';

/** @typedef {import('./source.js').Points} Points */
/** @typedef {[number, number, number, number]} Window Left, bottom, right, top: the part that is shown, in shares of the whole. */

/** @type {Window} */
const WHOLE = [-0.03, -0.03, 1.03, 1.03];
const NEAR = 10; // pixels from which on a point is pointed at
const CLICK = 4; // pixels that a pointer may move without drawing a line

/**
 * Points in a buffer of pixels: fifty thousand are drawn in a few hundredths of a second. A line drawn around some chooses them.
 *
 * @param {{ points: Points, members: Set<number>, chosen: Set<number>, choose: (numbers: number[]) => void, point: (number: number | null) => void, label: string, x: string, y: string, children?: any }} props
 *   `members` are coloured, `chosen` ringed; `point` is told the item under the pointer.
 */
export function Scatter({ points, members, chosen, choose, point, label, x, y, children }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const place = useRef(/** @type {{ px: Int16Array, py: Int16Array } | null} */ (null));
  const [view, setView] = useState(WHOLE);
  const [line, setLine] = useState(/** @type {[number, number][] | null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  const unit = useMemo(() => shares(points.at), [points]);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setSize({ width: Math.round(entry.contentRect.width), height: Math.round(entry.contentRect.height) }));
    if (canvas.current) watch.observe(canvas.current);
    return () => watch.disconnect();
  }, []);
  useEffect(() => setView(WHOLE), [points]);
  useLayoutEffect(() => {
    if (canvas.current && size.width) place.current = paint(canvas.current, points.numbers, unit, view, size, members, chosen);
  }, [points, unit, view, size, members, chosen, dark.value]);

  const at = (/** @type {MouseEvent} */ event) => {
    const box = /** @type {HTMLCanvasElement} */ (canvas.current).getBoundingClientRect();
    return /** @type {[number, number]} */ ([event.clientX - box.left, event.clientY - box.top]);
  };
  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button) return;
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
    setLine([at(event)]);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (line) setLine([...line, at(event)]);
    else point(nearest(place.current, points.numbers, at(event)));
  };
  const up = (/** @type {PointerEvent} */ event) => {
    if (!line) return;
    setLine(null);
    const length = Math.max(...line.map(([a, b]) => Math.hypot(a - line[0][0], b - line[0][1])));
    if (length > CLICK) return choose(inside(place.current, points.numbers, line));
    const one = nearest(place.current, points.numbers, at(event));
    if (one !== null) choose([one]);
  };
  const wheel = (/** @type {WheelEvent} */ event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== event.currentTarget) return;
    event.preventDefault();
    const [a, b] = at(event);
    setView(zoomed(view, event.deltaY < 0 ? 0.8 : 1.25, a / size.width, 1 - b / size.height));
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] }[event.key];
    if (step) setView(moved(view, step[0], step[1]));
    else if (event.key === '+' || event.key === '=') setView(zoomed(view, 0.7));
    else if (event.key === '-') setView(zoomed(view, 1.4));
    else if (event.key === '0') setView(WHOLE);
    else return;
    event.preventDefault();
  };
  return html`<figure class="scatter">
    <div class="field-of-points" tabindex="0" role="group" aria-label=${`${label}. Arrow keys move, plus and minus zoom, 0 shows all; the list beside it chooses.`}
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => setLine(null)} onPointerLeave=${() => point(null)} onWheel=${wheel} onKeyDown=${keys}>
      <canvas ref=${canvas} role="img" aria-label=${`${points.numbers.length.toLocaleString('en')} points`} />
      ${line && line.length > 1 && html`<svg class="lasso" aria-hidden="true"><polygon points=${line.map((one) => one.join(',')).join(' ')} /></svg>`}
    </div>
    <figcaption class="faint"><span>Across: ${x}. Up: ${y}. Draw a line around points to choose them.</span>
      <span class="zoom">${[['Zoom in', '+', 0.7], ['Zoom out', '−', 1.4]].map(([name, sign, by]) => html`<button type="button" class="plain" aria-label=${name} onClick=${() => setView(zoomed(view, Number(by)))}>${sign}</button>`)}
      <button type="button" class="plain" onClick=${() => setView(WHOLE)}>All</button></span></figcaption>
    ${children}
  </figure>`;
}

/** Both coordinates as shares of what they span. @param {Float32Array} at */
function shares(at) {
  const out = new Float32Array(at.length);
  for (const axis of [0, 1]) {
    let [low, high] = [Infinity, -Infinity];
    for (let n = axis; n < at.length; n += 2) {
      if (at[n] < low) low = at[n];
      if (at[n] > high) high = at[n];
    }
    for (let n = axis; n < at.length; n += 2) out[n] = high > low ? (at[n] - low) / (high - low) : 0.5;
  }
  return out;
}

/** @param {Window} view @param {number} by @param {number} [x] What stays where it is, in shares of the view. @param {number} [y] @returns {Window} */
function zoomed([left, bottom, right, top], by, x = 0.5, y = 0.5) {
  const [wide, high] = [(right - left) * by, (top - bottom) * by];
  if (wide > 2 || wide < 1e-4) return [left, bottom, right, top];
  const [across, up] = [left + (right - left) * x, bottom + (top - bottom) * y];
  return [across - wide * x, up - high * y, across + wide * (1 - x), up + high * (1 - y)];
}

/** @param {Window} view @param {number} x @param {number} y @returns {Window} */
function moved([left, bottom, right, top], x, y) {
  const [wide, high] = [(right - left) * x, (top - bottom) * y];
  return [left + wide, bottom + high, right + wide, top + high];
}

/** Four bytes of an opaque colour, as one number of the buffer. @param {number[]} colour */
const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/**
 * Draws all points, and tells where each came to lie.
 *
 * @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} numbers @param {Float32Array} unit @param {Window} view
 * @param {{ width: number, height: number }} size In pixels of the page. @param {Set<number>} members @param {Set<number>} chosen
 */
function paint(canvas, numbers, unit, [left, bottom, right, top], { width, height }, members, chosen) {
  const fine = Math.min(2, devicePixelRatio || 1);
  const [wide, high] = [Math.round(width * fine), Math.round(height * fine)];
  canvas.width = wide;
  canvas.height = high;
  const image = new ImageData(wide, high);
  const buffer = new Uint32Array(image.data.buffer);
  buffer.fill(packed(paper()));
  const count = numbers.length;
  const [px, py] = [new Int16Array(count), new Int16Array(count)];
  for (let n = 0; n < count; n++) {
    px[n] = Math.max(-9999, Math.min(9999, ((unit[2 * n] - left) / (right - left)) * width));
    py[n] = Math.max(-9999, Math.min(9999, (1 - (unit[2 * n + 1] - bottom) / (top - bottom)) * height));
  }
  const dot = Math.round((count > 20000 ? 1.5 : count > 2000 ? 3 : 5) * fine);
  const [rest, own, ring] = (dark.value ? [[110, 118, 130], [255, 123, 116], [255, 255, 255]] : [[150, 158, 168], [190, 0, 28], [0, 0, 0]]).map(packed);
  const square = (/** @type {number} */ n, /** @type {number} */ side, /** @type {number} */ colour) => {
    const [x0, y0] = [Math.round(px[n] * fine - side / 2), Math.round(py[n] * fine - side / 2)];
    for (let y = Math.max(0, y0); y < Math.min(high, y0 + side); y++) buffer.fill(colour, y * wide + Math.min(wide, Math.max(0, x0)), y * wide + Math.max(0, Math.min(wide, x0 + side)));
  };
  for (let n = 0; n < count; n++) if (!members.has(numbers[n])) square(n, dot, rest);
  const bold = Math.max(dot, Math.round(3 * fine));
  for (let n = 0; n < count; n++) if (chosen.has(numbers[n])) square(n, bold + Math.round(4 * fine), ring);
  for (let n = 0; n < count; n++) if (members.has(numbers[n])) square(n, bold, own);
    else if (chosen.has(numbers[n])) square(n, bold, rest);
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return { px, py };
}

/** The item nearest to a place, if one is near. @param {{ px: Int16Array, py: Int16Array } | null} place @param {ArrayLike<number>} numbers @param {[number, number]} at */
function nearest(place, numbers, [x, y]) {
  if (!place) return null;
  let [best, found] = [NEAR * NEAR, -1];
  for (let n = 0; n < numbers.length; n++) {
    const distance = (place.px[n] - x) ** 2 + (place.py[n] - y) ** 2;
    if (distance < best) [best, found] = [distance, n];
  }
  return found < 0 ? null : numbers[found];
}

/** The items inside a closed line. @param {{ px: Int16Array, py: Int16Array } | null} place @param {ArrayLike<number>} numbers @param {[number, number][]} line */
function inside(place, numbers, line) {
  if (!place) return [];
  const [xs, ys] = [line.map(([x]) => x), line.map(([, y]) => y)];
  const [low, high, first, last] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found = [];
  for (let n = 0; n < numbers.length; n++) {
    const [x, y] = [place.px[n], place.py[n]];
    if (x < low || x > high || y < first || y > last) continue;
    let odd = false;
    for (let k = 0, before = xs.length - 1; k < xs.length; before = k++) {
      if (ys[k] > y !== ys[before] > y && x < ((xs[before] - xs[k]) * (y - ys[k])) / (ys[before] - ys[k]) + xs[k]) odd = !odd;
    }
    if (odd) found.push(numbers[n]);
  }
  return found;
}
