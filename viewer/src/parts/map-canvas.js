import { useEffect, useRef } from 'preact/hooks';
import { paletteOf, pixels } from '../data/palette.js';
import { smooth, strengths } from '../data/strength.js';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { limitOf, settings } from '../settings.js';

/** @typedef {import('../types.js').Layer} Layer */

const COARSE = 4; // a map with so many times fewer places than the picture is interpolated between them
const FINE = 160; // places along the longer side of an interpolated map

/**
 * A map as transparent pixels, one per place; the browser enlarges them.
 *
 * @param {{ layer: Layer, layers: Layer[], across: number, opacity?: number }} props `across`: pixels along the picture's longer side.
 */
export function MapCanvas({ layer, layers, across, opacity = settings.opacity.value }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const values = useValues(layer);
  const [height, width] = layer.shape;
  const zoom = COARSE * Math.max(height, width) <= across ? Math.max(1, Math.round(FINE / Math.max(height, width))) : 1;
  const how = { limit: limitOf(layer, layers), threshold: settings.threshold.value, sign: settings.sign.value, signed: layer.signed };
  const palette = settings.palette.value;
  useEffect(() => {
    if (values && canvas.current) paint(canvas.current, values, layer, zoom, how, palette, opacity);
  }, [values, layer, zoom, ...Object.values(how), palette, opacity]);
  return html`<canvas ref=${canvas} class=${`map ${zoom > 1 ? 'soft' : ''}`} aria-hidden="true" />`;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} values
 * @param {Layer} layer
 * @param {number} zoom
 * @param {Parameters<typeof strengths>[1]} how
 * @param {string} palette
 * @param {number} opacity
 */
function paint(canvas, values, layer, zoom, how, palette, opacity) {
  const [height, width] = layer.shape;
  const strength = strengths(values, how);
  const fine = zoom > 1 ? smooth(strength, height, width, zoom) : strength;
  canvas.width = width * zoom;
  canvas.height = height * zoom;
  const colours = pixels(fine, paletteOf(palette), layer.signed, opacity);
  canvas.getContext('2d')?.putImageData(new ImageData(colours, canvas.width, canvas.height), 0, 0);
}
