import { useRef, useState } from 'preact/hooks';
import { groundOf, css, paletteOf } from '../data/palette.js';
import { withSign } from '../data/numbers.js';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { MapCanvas } from '../parts/map-canvas.js';
import { settings, tools } from '../settings.js';
import { Badges, Outlines, tell } from './regions.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Layer} Layer */

const TINY = 64; // pixels: such a picture gains nothing from filling the page

/** How far the picture gives way to the ground of the map. @param {Layer} layer */
export function veil(layer) {
  const share = settings.view.value === 'map' ? settings.opacity.value : 0;
  return { filter: `grayscale(${share})`, opacity: 1 - share * paletteOf(settings.palette.value).veil * (layer.nothing ? 0.5 : 1) };
}

/** @param {Layer} layer */
export const groundStyle = (layer) => css(groundOf(paletteOf(settings.palette.value), layer.signed));

/**
 * The picture, its map, its regions and a cursor, one on another.
 *
 * @param {{ open: Case, children?: any, width: number, height: number, caption: string, plain?: boolean, photo?: boolean, rows?: (n: number) => string, columns?: (n: number) => string }} props `plain`: there is
 *     nothing below the map, and the views do not apply. `photo`: whether a picture lies below it.
 */
export function Stage({ open, children, width, height, caption, plain = false, photo = true, rows, columns }) {
  const stage = useRef(/** @type {HTMLElement | null} */ (null));
  const [keyed, setKeyed] = useState(false); // a pointer needs no mark where it is
  const layer = open.layer.value;
  const [down, across] = layer.shape;
  const painted = plain || (!photo && settings.view.value !== 'regions') || settings.view.value === 'map' || settings.view.value === 'overlay';
  const place = open.place.value;
  const card = layer.nothing ? 'No evidence found' : layer.doubt ? 'Under-sampled: not to be read' : '';
  /** @param {PointerEvent} event */
  const point = (event) => {
    const box = /** @type {HTMLElement} */ (stage.current).getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * down);
    const column = Math.floor(((event.clientX - box.left) / box.width) * across);
    setKeyed(false);
    open.place.value = row >= 0 && column >= 0 && row < down && column < across ? row * across + column : null;
  };
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    if (event.target !== event.currentTarget) return;
    const stride = Math.max(1, Math.round(Math.max(down, across) / (event.shiftKey ? 14 : 112)));
    const [up, left] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    if (!up && !left) return;
    event.preventDefault();
    const now = open.place.value ?? Math.floor(down / 2) * across + Math.floor(across / 2);
    const row = Math.max(0, Math.min(down - 1, Math.floor(now / across) + up * stride));
    const column = Math.max(0, Math.min(across - 1, (now % across) + left * stride));
    setKeyed(true);
    open.place.value = row * across + column;
  };
  return html`<div class="plate">
    <div
      ref=${stage} class="stage" tabindex="0" role="group" aria-roledescription="map"
      aria-label=${`Map of ${layer.method}. Arrow keys move a cursor that reads values.`}
      style=${{ aspectRatio: `${width} / ${height}`, '--ratio': width / height, '--tallest': Math.max(width, height) <= TINY ? '26rem' : undefined, background: plain || !photo || settings.view.value === 'map' ? groundStyle(layer) : '#fff' }}
      onPointerMove=${point} onPointerLeave=${() => (open.place.value = null)} onKeyDown=${move}
    >
      <div class="under" style=${veil(layer)} role="img" aria-label=${caption}>${children}</div>
      ${painted && !card && html`<${MapCanvas} layer=${layer} layers=${open.layers} across=${plain ? 0 : Math.max(width, height)} />`}
      ${!card && !plain && settings.view.value !== 'picture' && html`<${Outlines} open=${open} /><${Badges} open=${open} />`}
      ${card && settings.view.value !== 'picture' && html`<p class=${`card ${layer.doubt ? 'hatched' : ''}`}>${card}</p>`}
      ${tools.value?.Marker && !plain && html`<${tools.value.Marker} open=${open} width=${width} height=${height} />`}
      ${place !== null && keyed && html`<div class="cursor" aria-hidden="true" style=${cursorStyle(place, down, across)} />`}
    </div>
    <${Readout} open=${open} rows=${rows} columns=${columns} />
  </div>`;
}

/** @param {number} place @param {number} down @param {number} across */
function cursorStyle(place, down, across) {
  const [row, column] = [Math.floor(place / across), place % across];
  return { left: `${(100 * column) / across}%`, top: `${(100 * row) / down}%`, width: `${100 / across}%`, height: `${100 / down}%` };
}

/** What lies under the cursor, or what is chosen. @param {{ open: Case, rows?: (n: number) => string, columns?: (n: number) => string }} props */
function Readout({ open, rows = (n) => `row ${n}`, columns = (n) => `column ${n}` }) {
  const layer = open.layer.value;
  const values = useValues(layer);
  const [, across] = layer.shape;
  const place = open.place.value;
  const n = layer.regions.findIndex((one) => one.id === open.region.value);
  const value = place !== null && values && `${withSign(values[place], layer.signed)} at ${rows(Math.floor(place / across))}, ${columns(place % across)}`;
  return html`<div class="readout" role="status">
    ${n >= 0 && html`<p>${tell(layer.regions[n], layer, n)}</p>`}
    <p>${value || (n < 0 && html`<span class="faint">Point at the map to read values; keys: <kbd>?</kbd></span>`)}</p>
  </div>`;
}
