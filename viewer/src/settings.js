import { signal } from '@preact/signals';

/** What the reader chose; it holds for every case of a report, so that pages can be compared. */
export const settings = {
  view: signal('map'),
  opacity: signal(1),
  palette: signal('red-blue'),
  threshold: signal(0),
  sign: signal('both'),
  scale: signal('own'),
  /** @type {import('@preact/signals').Signal<number | null>} */
  fixed: signal(null),
  unit: signal('tokens'),
  side: signal(false),
};

export const help = signal(false);

/**
 * What a page around the case adds to it: what is drawn on the picture, a panel beside it, and what choosing a class does.
 *
 * @type {import('@preact/signals').Signal<{ Marker: any, Panel: any, choose: (one: Class) => void } | null>}
 */
export const tools = signal(null);

/** The tokens that are marked; null where they cannot be. @type {import('@preact/signals').Signal<Set<number> | null>} */
export const markedTokens = signal(null);

/** What is said to a screen reader when no visible text changes on its own. */
export const announcement = signal('');

/** @typedef {import('./types.js').Doc} Doc */
/** @typedef {import('./types.js').Layer} Layer */
/** @typedef {import('./types.js').Class} Class */

/**
 * One case on the page: which of its layers is shown, and what is pointed at.
 *
 * @param {Doc} doc
 * @param {Layer[]} [layers]
 */
export function openCase(doc, layers = doc.layers ?? []) {
  return {
    doc,
    layers,
    /** Whether it is a part of another case, which has the controls. */
    nested: false,
    layer: signal(layers[0]),
    /** @type {import('@preact/signals').Signal<number | string | null>} */
    region: signal(null),
    /** @type {import('@preact/signals').Signal<number | null>} The place that is pointed at, row by row. */
    place: signal(null),
  };
}

/** @typedef {ReturnType<typeof openCase>} Case */

/** @type {import('@preact/signals').Signal<Case | null>} The case that keys act on. */
export const active = signal(null);

/** Shows another layer of a case. @param {Case} open @param {Layer | undefined} layer */
export function show(open, layer) {
  if (!layer || layer === open.layer.value) return;
  open.region.value = null;
  open.layer.value = layer;
}

/** The layer of a method and target that lies nearest to the one shown. @param {Case} open @param {{ method?: string, target?: string }} asked */
export function nearest(open, asked) {
  const now = open.layer.value;
  const fits = open.layers.filter((one) => (!asked.method || methodOf(one) === asked.method) && (!asked.target || one.target === asked.target));
  return fits.find((one) => methodOf(one) === methodOf(now) || one.target === now.target) ?? fits[0];
}

/** @param {Layer} layer */
export const methodOf = (layer) => (layer.at ? `${layer.name} at ${layer.at}` : layer.name);

/** @param {Layer[]} layers */
export const methodsOf = (layers) => [...new Set(layers.map(methodOf))];

/** @param {Layer[]} layers */
export const targetsOf = (layers) => [...new Set(layers.map((one) => one.target))];

/** The value painted at full strength. @param {Layer} layer @param {Layer[]} layers */
export function limitOf(layer, layers) {
  if (settings.scale.value === 'fixed' && settings.fixed.value) return settings.fixed.value;
  if (settings.scale.value === 'shared') return Math.max(...layers.filter((one) => !one.nothing && !one.doubt).map((one) => one.scale.limit), 1e-300);
  return layer.scale.limit || 1;
}
