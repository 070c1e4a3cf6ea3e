import { PALETTES } from '../data/palette.js';
import { html } from '../html.js';
import { VIEWS, setView, versus } from '../keys.js';
import { Buttons, Select, Slider } from '../parts/choice.js';
import { figure } from '../data/numbers.js';
import { methodOf, methodsOf, nearest, settings, show, targetsOf } from '../settings.js';

/** @typedef {import('../settings.js').Case} Case */

const options = (/** @type {string[]} */ names) => names.map((name) => ({ name, label: name }));

/** Which of a case's maps is shown. @param {{ open: Case }} props */
export function Which({ open }) {
  const layer = open.layer.value;
  const [methods, targets] = [methodsOf(open.layers), targetsOf(open.layers)];
  const both = open.layers.some((one) => one.contrast) && open.layers.some((one) => !one.contrast);
  if (methods.length < 2 && targets.length < 2) return null;
  return html`<div class="which">
    ${methods.length > 1 && html`<${Select} label="Method" options=${options(methods)} value=${methodOf(layer)} choose=${(/** @type {string} */ method) => show(open, nearest(open, { method }))} />`}
    ${targets.length > 1 && html`<${Select} label="Target" options=${options(targets)} value=${layer.target} choose=${(/** @type {string} */ target) => show(open, nearest(open, { target }))} />`}
    ${both && html`<button type="button" class="plain" aria-pressed=${String(Boolean(layer.contrast))} aria-keyshortcuts="V" onClick=${versus}>Versus ${rival(open)}</button>`}
  </div>`;
}

/** The other class of the contrast that the key V shows. @param {Case} open */
const rival = (open) => (open.layers.find((one) => one.contrast && one.method === open.layer.value.method) ?? open.layers.find((one) => one.contrast))?.contrast?.[1][0];

/** What lies on the picture. @param {{ layer: import('../types.js').Layer, photo?: boolean }} props `photo`: whether there is one. */
export function Views({ layer, photo = true }) {
  const views = VIEWS.filter(({ name }) => (photo || name === 'map' || name === 'regions') && (name !== 'regions' || layer.regions.length > 0 || settings.view.value === name));
  return views.length > 1 && html`<${Buttons} label="View" options=${views} value=${settings.view.value} choose=${setView} />`;
}

/** How the map is painted. @param {{ open: Case, picture?: boolean, bars?: boolean }} props `picture`: whether something lies below the map; `bars`: whether values are lengths. */
export function Display({ open, picture = true, bars = false }) {
  const layer = open.layer.value;
  if (layer.nothing || layer.doubt) return null;
  const { opacity, palette, threshold, sign, scale } = settings;
  const scales = [{ name: 'own', label: "This map's own" }, ...(open.layers.length > 1 ? [{ name: 'shared', label: 'Shared by all maps' }] : []), { name: 'fixed', label: 'A number' }];
  return html`<fieldset class="display">
    <legend>Display</legend>
    ${picture && html`<${Slider} label="Opacity" value=${opacity.value} choose=${(/** @type {number} */ share) => (opacity.value = share)} />`}
    ${!bars && html`<${Slider}
      label="Threshold" value=${threshold.value} choose=${(/** @type {number} */ share) => (threshold.value = share)}
      says=${`${Math.round(100 * threshold.value)} % of the scale`}
    />`}
    ${!bars && layer.signed && html`<${Select} label="Sign" options=${SIGNS} value=${sign.value} choose=${(/** @type {string} */ name) => (sign.value = name)} />`}
    <${Select} label="Palette" options=${PALETTES} value=${palette.value} choose=${(/** @type {string} */ name) => (palette.value = name)} />
    ${!bars && html`<${Select} label="Scale" options=${scales} value=${scales.some((one) => one.name === scale.value) ? scale.value : 'own'} choose=${(/** @type {string} */ name) => chooseScale(name, layer)} />`}
    ${!bars && scale.value === 'fixed' && html`<${Fixed} />`}
  </fieldset>`;
}

const SIGNS = [
  { name: 'both', label: 'For and against' },
  { name: 'for', label: 'Only for' },
  { name: 'against', label: 'Only against' },
];

/** @param {string} name @param {import('../types.js').Layer} layer */
function chooseScale(name, layer) {
  settings.scale.value = name;
  if (name === 'fixed') settings.fixed.value ??= Number(layer.scale.limit.toPrecision(3));
}

function Fixed() {
  const change = (/** @type {Event} */ event) => {
    const number = Number(/** @type {HTMLInputElement} */ (event.currentTarget).value);
    if (number > 0 && Number.isFinite(number)) settings.fixed.value = number;
  };
  return html`<label class="field"><span>Full colour at</span>
    <input type="number" min="0" step="any" value=${settings.fixed.value} aria-valuetext=${figure(settings.fixed.value)} onChange=${change} />
  </label>`;
}
