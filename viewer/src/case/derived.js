// Layers and cases made from others: a part of several inputs, one channel, one row.

import { computed } from '@preact/signals';

/** @typedef {import('../types.js').Layer} Layer */
/** @typedef {import('../settings.js').Case} Case */

/** @type {WeakMap<Layer, Map<string, Layer>>} */
const made = new WeakMap();

/**
 * The same object for the same question, so that what is known of it stays known.
 *
 * @param {Layer} layer
 * @param {string} key
 * @param {() => Partial<Layer>} change
 * @returns {Layer}
 */
export function derive(layer, key, change) {
  const known = made.get(layer) ?? new Map();
  made.set(layer, known);
  if (!known.has(key)) known.set(key, { ...layer, ...change() });
  return known.get(key);
}

/** One of several inputs. @param {Layer} layer @param {number} n */
export const partOf = (layer, n) => derive(layer, `part ${n}`, () => ({ ...layer.parts[n], name: layer.name, parts: [] }));

/** A row of a matrix. @param {Layer} layer @param {Float32Array} values @param {number} row */
export const rowOf = (layer, values, row) =>
  derive(layer, `row ${row}`, () => {
    const across = layer.shape[1];
    return { shape: [1, across], values: Array.from(values.subarray(row * across, (row + 1) * across)), map: null, beyond: null, equation: layer.rows[row]?.equation ?? layer.equation };
  });

/** One channel of a spectrogram, its highest frequency on top. @param {Layer} layer @param {Float32Array} values @param {number} channel @param {number} height */
export const channelOf = (layer, values, channel, height) =>
  derive(layer, `channel ${channel}`, () => {
    const across = layer.shape[1];
    const rows = Array.from({ length: height }, (_, n) => (channel + 1) * height - 1 - n);
    return { shape: [height, across], values: rows.flatMap((row) => Array.from(values.subarray(row * across, (row + 1) * across))), map: null, beyond: null, regions: [] };
  });

/**
 * A case that shows something of the layer that another case shows.
 *
 * @param {Case} open
 * @param {(layer: Layer) => Layer} make
 * @param {Pick<Case, 'region' | 'place'>} own
 * @returns {Case}
 */
export const caseOf = (open, make, own) => ({ ...open, ...own, nested: true, layers: open.layers.map(make), layer: /** @type {Case['layer']} */ (computed(() => make(open.layer.value))) });
