// Maps travel as deflated bytes in base64; they are unpacked when they are first painted.

/** @typedef {import('../types.js').Mapped} Layer */

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let n = 0; n < raw.length; n++) out[n] = raw.charCodeAt(n);
  return out;
}

/** @param {string} packed Raw deflate in base64. @returns {Promise<Int8Array>} */
export async function inflate(packed) {
  const stream = new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Int8Array(await new Response(stream).arrayBuffer());
}

/** @type {WeakMap<Layer, Promise<Float32Array>>} */
const unpacked = new WeakMap();

/**
 * The values of a layer, row by row. Those of a packed map are rounded to whole steps.
 *
 * @param {Layer} layer
 * @returns {Promise<Float32Array>}
 */
export function valuesOf(layer) {
  let values = unpacked.get(layer);
  if (!values) unpacked.set(layer, (values = unpack(layer)));
  return values;
}

/** @param {Layer} layer @returns {Promise<Float32Array>} */
async function unpack(layer) {
  if (layer.values) return Float32Array.from(layer.values, (value) => value ?? 0);
  if (!layer.map) return new Float32Array(layer.shape.reduce((size, side) => size * side, 1));
  const step = stepOf(layer);
  const values = Float32Array.from(await inflate(layer.map), (q) => q * step);
  layer.beyond?.places.forEach((place, n) => (values[place] = /** @type {any} */ (layer.beyond).q[n] * step));
  return values;
}

/** The smallest difference between two values of a packed map. @param {Layer} layer */
export const stepOf = (layer) => layer.scale.limit / (layer.levels || 127);

/** Whether values were rounded on the way here. @param {Layer} layer */
export const quantised = (layer) => !layer.values;
