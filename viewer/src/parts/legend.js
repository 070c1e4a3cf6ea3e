import { css, groundOf, over, paletteOf } from '../data/palette.js';
import { figure } from '../data/numbers.js';
import { html } from '../html.js';
import { limitOf, settings } from '../settings.js';

/** @typedef {import('../types.js').Layer} Layer */

/** What both ends of the scale mean. @param {Layer} layer @returns {[string, string]} */
export function ends(layer) {
  if (!layer.signed) return ['', 'matters most'];
  return [`speaks ${sideOf(layer, 'against')}`, `speaks ${sideOf(layer, 'for')}`];
}

/** What evidence of a sign speaks for, in words. @param {Layer} layer @param {'for' | 'against'} sign */
export const sideOf = (layer, sign) => (layer.contrast ? `for ${layer.contrast[sign === 'for' ? 0 : 1][0]}` : sign);

/** The colour bar with its numbers, and where the scale is from. @param {{ layer: Layer, layers: Layer[], on?: import('../data/palette.js').Colour }} props `on`: what the colours lie on. */
export function Legend({ layer, layers, on }) {
  if (layer.nothing || layer.doubt) return null;
  const palette = paletteOf(settings.palette.value);
  const ground = on && palette.name !== 'grey' ? on : groundOf(palette, layer.signed);
  const low = layer.signed ? -1 : 0;
  const steps = Array.from({ length: 17 }, (_, n) => low + ((1 - low) * n) / 16);
  const background = `linear-gradient(to right, ${steps.map((strength) => css(over(palette, strength, layer.signed, ground))).join(', ')})`;
  const top = figure(limitOf(layer, layers));
  const [against, pro] = ends(layer);
  return html`<div class="legend">
    <div class="ends"><span dir="auto">${against || 'no influence'}</span><span dir="auto">${pro}</span></div>
    <div class="bar" style=${{ background }} />
    <div class="ends numbers"><span>${layer.signed ? `−${top}` : '0'}</span>${layer.signed && html`<span>0</span>`}<span>${layer.signed ? '+' : ''}${top}</span></div>
    <p class="faint">${scaleSentence(layer, layers)}</p>
  </div>`;
}

/** @param {Layer} layer @param {Layer[]} layers */
export function scaleSentence(layer, layers) {
  const sign = layer.signed ? '±' : '';
  const limit = figure(limitOf(layer, layers));
  const unsigned = layer.signed ? '' : ' This method tells how much a place matters, not whether it speaks for or against.';
  const hidden = settings.threshold.value ? ` Below ${sign}${figure(settings.threshold.value * limitOf(layer, layers))} nothing is painted.` : '';
  if (settings.scale.value === 'fixed' && settings.fixed.value) return `Full colour at ${sign}${limit}, as chosen.${hidden}${unsigned}`;
  if (settings.scale.value === 'shared' && layers.length > 1) return `Full colour at ${sign}${limit}, the largest scale of all ${layers.length} maps.${hidden}${unsigned}`;
  return `${layer.scale.sentence}${hidden}${unsigned}`;
}
