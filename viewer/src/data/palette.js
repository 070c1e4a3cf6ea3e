// The colours of evidence. Strength is both hue and opacity, so that zero shows the ground itself.

/** @typedef {[number, number, number]} Colour */
/** @typedef {{ name: string, label: string, positive: [Colour, Colour], negative: [Colour, Colour], unsigned: [Colour, Colour], ground: Colour, veil: number }} Palette */

/** @type {Palette[]} Each ramp runs from the colour of a small value to that of one at the end of the scale. */
export const PALETTES = [
  {
    name: 'red-blue',
    label: 'Red and blue',
    positive: [[240, 60, 50], [190, 0, 28]],
    negative: [[50, 120, 245], [8, 48, 190]],
    unsigned: [[150, 90, 200], [78, 20, 140]],
    ground: [255, 255, 255],
    veil: 0.55,
  },
  {
    name: 'orange-purple',
    label: 'Orange and purple',
    positive: [[245, 150, 30], [200, 85, 0]],
    negative: [[140, 105, 205], [70, 25, 145]],
    unsigned: [[40, 150, 140], [0, 85, 85]],
    ground: [255, 255, 255],
    veil: 0.55,
  },
  {
    name: 'grey',
    label: 'Grey',
    positive: [[70, 70, 70], [0, 0, 0]],
    negative: [[235, 235, 235], [255, 255, 255]],
    unsigned: [[70, 70, 70], [0, 0, 0]],
    ground: [158, 158, 158], // black speaks for and white against: the ground lies between
    veil: 0.78,
  },
];

/** @param {string} name */
export const paletteOf = (name) => PALETTES.find((one) => one.name === name) ?? PALETTES[0];

/** What a map is painted on. @param {Palette} palette @param {boolean} signed @returns {Colour} */
export const groundOf = (palette, signed) => (signed ? palette.ground : [255, 255, 255]);

/**
 * The opaque hue of a strength, and its opacity.
 *
 * @param {Palette} palette
 * @param {number} strength In [-1, 1].
 * @param {boolean} signed
 * @returns {Colour}
 */
export function hue(palette, strength, signed) {
  const [faint, full] = !signed ? palette.unsigned : strength < 0 ? palette.negative : palette.positive;
  const size = Math.abs(strength);
  return /** @type {Colour} */ (faint.map((low, n) => Math.round(low + size * (full[n] - low))));
}

/** A strength over a ground. @param {Palette} palette @param {number} strength @param {boolean} signed @param {Colour} ground @returns {Colour} */
export function over(palette, strength, signed, ground) {
  const size = Math.abs(strength);
  return /** @type {Colour} */ (hue(palette, strength, signed).map((upper, n) => Math.round(ground[n] + size * (upper - ground[n]))));
}

/** @param {Colour} colour */
export const css = (colour) => `rgb(${colour.join(' ')})`;

/** Black or white, whichever reads better on a colour. @param {Colour} colour @returns {string} */
export function ink(colour) {
  const [r, g, b] = colour.map((level) => {
    const part = level / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff';
}

/**
 * The pixels of a map, red green blue alpha: a table of 511 colours is looked up, which is quicker than a formula per pixel.
 *
 * @param {Float32Array} strengths In [-1, 1].
 * @param {Palette} palette
 * @param {boolean} signed
 * @param {number} opacity In [0, 1].
 */
export function pixels(strengths, palette, signed, opacity) {
  const table = new Uint32Array(511);
  const colour = new Uint8ClampedArray(4);
  const whole = new Uint32Array(colour.buffer);
  for (let n = 0; n < 511; n++) {
    const strength = (n - 255) / 255;
    colour.set(hue(palette, strength, signed));
    colour[3] = Math.round(255 * Math.abs(strength) * opacity);
    table[n] = whole[0];
  }
  const out = new Uint32Array(strengths.length);
  for (let n = 0; n < strengths.length; n++) out[n] = table[Math.round(255 * strengths[n]) + 255];
  return new Uint8ClampedArray(out.buffer);
}
