// From values to how strongly each is painted: scale, threshold, sign.

/**
 * @param {Float32Array} values
 * @param {{ limit: number, threshold: number, sign: string, signed: boolean }} how `threshold` is a share of the limit.
 */
export function strengths(values, { limit, threshold, sign, signed }) {
  const out = new Float32Array(values.length);
  for (let n = 0; n < values.length; n++) {
    const strength = Math.max(-1, Math.min(1, values[n] / limit)) || 0;
    const hidden = Math.abs(strength) < threshold || (signed && (sign === 'for' ? strength < 0 : sign === 'against' && strength > 0));
    out[n] = hidden ? 0 : strength;
  }
  return out;
}

/**
 * A coarse map between its places, by cubic convolution, never beyond its own values.
 *
 * @param {Float32Array} values
 * @param {number} height
 * @param {number} width
 * @param {number} zoom
 */
export function smooth(values, height, width, zoom) {
  const wide = along(values, height, width, zoom, 1, width);
  return along(wide, width * zoom, height, zoom, width * zoom, 1);
}

/**
 * One axis of `smooth`.
 *
 * @param {Float32Array} values
 * @param {number} lines How many lines are stretched.
 * @param {number} length Of a line.
 * @param {number} zoom
 * @param {number} step From one place of a line to the next.
 * @param {number} next From one line to the next, before stretching.
 */
function along(values, lines, length, zoom, step, next) {
  const out = new Float32Array(values.length * zoom);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  for (let line = 0; line < lines; line++) {
    const start = line * next;
    const goal = step === 1 ? line * length * zoom : line;
    for (let n = 0; n < length * zoom; n++) {
      const place = (n + 0.5) / zoom - 0.5;
      const first = Math.floor(place);
      let sum = 0;
      for (let k = -1; k <= 2; k++) {
        const from = Math.max(0, Math.min(length - 1, first + k));
        sum += weight(place - first - k) * values[start + from * step];
      }
      out[goal + n * step] = Math.max(low, Math.min(high, sum));
    }
  }
  return out;
}

/** Keys' kernel with a = -1/2. @param {number} distance */
function weight(distance) {
  const x = Math.abs(distance);
  if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}
