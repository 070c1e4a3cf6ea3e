import { useMemo } from 'preact/hooks';
import { percent } from '../data/numbers.js';
import { maskOf, outline } from '../data/outline.js';
import { css, hue, paletteOf } from '../data/palette.js';
import { useRoving } from '../hooks.js';
import { html } from '../html.js';
import { sideOf } from '../parts/legend.js';
import { settings } from '../settings.js';

/** @typedef {import('../types.js').Layer} Layer */
/** @typedef {import('../types.js').Region} Region */
/** @typedef {import('../settings.js').Case} Case */

const LABELLED = 0.05; // share from which on a region wears its number
const PLATE = { wide: 0.1, tall: 0.052 }; // of the picture: room a number takes

/** @param {Layer} layer */
export const pathsOf = (layer) => {
  const [height, width] = layer.shape;
  return layer.regions.map((one) => outline(maskOf(one.rle, height * width), height, width));
};

/** @param {Region} region @param {Layer} layer */
export const colourOf = (region, layer) => css(hue(paletteOf(settings.palette.value), region.sign === 'against' ? -1 : 1, layer.signed));

/** Which share of what. @param {Region} region @param {Layer} layer */
export const shareOf = (region, layer) => `${percent(region.share)} of all evidence${layer.signed ? ` ${sideOf(layer, region.sign)}` : ''}`;

/** A region in one sentence. @param {Region} region @param {Layer} layer @param {number} n */
export const tell = (region, layer, n) =>
  `Region ${n + 1} of ${layer.regions.length}: ${shareOf(region, layer)}, on ${percent(region.area, 1)} of the ${layer.shape[0] > 1 ? 'picture' : 'values'}; ${placeOf(region, layer)}.`;

const THIRDS = [['upper left', 'top', 'upper right'], ['left', 'centre', 'right'], ['lower left', 'bottom', 'lower right']];

/** Where a region is, in words. @param {Region} region @param {Layer} layer */
export function placeOf(region, layer) {
  const [height, width] = layer.shape;
  const [top, left, bottom, right] = region.box;
  if (height === 1) return right - left > 1 ? `entries ${left} to ${right - 1}` : `entry ${left}`;
  if (region.parts > 1) return region.place;
  const third = (/** @type {number} */ low, /** @type {number} */ high, /** @type {number} */ size) => Math.min(2, Math.floor((3 * (low + high)) / 2 / size));
  return `${THIRDS[third(top, bottom, height)][third(left, right, width)]} (${region.place})`;
}

/** @param {Case} open @param {Region['id']} id */
export const choose = (open, id) => (open.region.value = open.region.value === id ? null : id);

/** Outlines over the picture, and everything else dimmed where one is chosen. @param {{ open: Case }} props */
export function Outlines({ open }) {
  const layer = open.layer.value;
  const paths = useMemo(() => pathsOf(layer), [layer]);
  const [height, width] = layer.shape;
  const chosen = layer.regions.findIndex((one) => one.id === open.region.value);
  const shown = layer.regions.map((one, n) => ({ one, d: paths[n] })).filter(({ one }) => settings.view.value === 'regions' || one.id === open.region.value);
  return html`<svg class="outlines" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
    ${chosen >= 0 && html`<path class="dim" fill-rule="evenodd" d=${`M0 0H${width}V${height}H0Z${paths[chosen]}`} />`}
    ${shown.toReversed().map(
      ({ one, d }) => html`<g class=${`region ${layer.signed ? one.sign : ''}`} onClick=${() => choose(open, one.id)}>
        <path class="halo" d=${d} /><path class="line" d=${d} stroke=${colourOf(one, layer)} />
      </g>`,
    )}
  </svg>`;
}

/**
 * Places for the numbers, in shares of the picture: above the region, below it, or on it, and on no other number.
 *
 * @param {Layer} layer
 */
function plates(layer) {
  const [height, width] = layer.shape;
  /** @type {{ x: number, y: number }[]} */
  const taken = [];
  const free = (/** @type {{ x: number, y: number }} */ spot) =>
    spot.y >= 0 && spot.y <= 1 - PLATE.tall && taken.every((one) => Math.abs(one.x - spot.x) > PLATE.wide || Math.abs(one.y - spot.y) > PLATE.tall);
  return layer.regions.map((one) => {
    const [top, left, bottom, right] = one.box;
    const x = Math.min(Math.max((left + right) / 2 / width, PLATE.wide / 2), 1 - PLATE.wide / 2);
    const spots = [top / height - PLATE.tall, bottom / height, (top + bottom) / 2 / height - PLATE.tall / 2].map((y) => ({ x, y }));
    const spot = spots.find(free) ?? { x, y: Math.min(Math.max(spots[2].y, 0), 1 - PLATE.tall) };
    taken.push(spot);
    return spot;
  });
}

/** The numbers of the regions as buttons on the picture. @param {{ open: Case }} props */
export function Badges({ open }) {
  const layer = open.layer.value;
  const spots = useMemo(() => plates(layer), [layer]);
  const roving = useRoving(layer.regions.length);
  if (settings.view.value !== 'regions') return null;
  return html`<div class="badges" role="group" aria-label="Regions on the picture" data-roving>
    ${layer.regions.map(
      (one, n) => html`<button
        type="button"
        key=${one.id}
        class=${`badge ${one.share < LABELLED || one.parts > 1 ? 'small' : ''}`}
        aria-pressed=${String(one.id === open.region.value)}
        aria-label=${`${percent(one.share)}, ${tell(one, layer, n)}`}
        style=${{ left: `${100 * spots[n].x}%`, top: `${100 * spots[n].y}%`, background: colourOf(one, layer) }}
        onClick=${() => choose(open, one.id)}
        ...${roving.props(n)}
      >${percent(one.share)}</button>`,
    )}
  </div>`;
}

/** The regions in words; a line is a button. @param {{ open: Case }} props */
export function RegionList({ open }) {
  const layer = open.layer.value;
  const roving = useRoving(layer.regions.length);
  if (layer.nothing || layer.doubt) return null;
  if (!layer.regions.length) return html`<p class="faint">No region stands out: the evidence is weak or scattered.</p>`;
  const area = layer.regions.reduce((sum, one) => sum + one.area, 0);
  return html`<ol class="regions" data-roving>
      ${layer.regions.map(
        (one, n) => html`<li key=${one.id}><button
          type="button"
          aria-pressed=${String(one.id === open.region.value)}
          onClick=${() => {
            choose(open, one.id);
            if (settings.view.value === 'picture') settings.view.value = 'regions';
          }}
          ...${roving.props(n)}
        >
          <span class=${`swatch ${layer.signed ? one.sign : ''}`} style=${{ background: colourOf(one, layer), color: colourOf(one, layer) }} />
          <span class="share">${percent(one.share)}</span>
          <span class="where" dir="auto">${layer.signed ? `${sideOf(layer, one.sign)}, ` : ''}${placeOf(one, layer)}</span>
        </button></li>`,
      )}
    </ol>
    <p class="faint">They fill ${percent(area)} of the map. Shares are of the sum of all evidence ${layer.signed ? 'of the same kind' : ''} in it.</p>`;
}
