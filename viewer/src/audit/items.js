import { useEffect, useRef, useState } from 'preact/hooks';
import { paletteOf, pixels } from '../data/palette.js';
import { percent } from '../data/numbers.js';
import { useLevels } from '../hooks.js';
import { html } from '../html.js';
import { settings } from '../settings.js';

/** @typedef {import('./source.js').Item} Item */
/** @typedef {import('./source.js').Source} Source */
/** @typedef {{ side: number, grid: [number, number] }} Mark */

const FIRST = 24; // pictures at first
const ROWS = 30; // of the list at once

/** Some items, as far as they have come. @param {Source} source @param {number[]} numbers @returns {Item[]} */
export function useItems(source, numbers) {
  const [found, setFound] = useState({ key: '', items: /** @type {Item[]} */ ([]) });
  const key = numbers.join();
  useEffect(() => {
    let wanted = true;
    source.items(numbers).then((items) => wanted && setFound({ key, items }), () => {});
    return () => void (wanted = false);
  }, [source, key]);
  return found.items;
}

/** A map of shares over its picture. @param {{ map: string, grid: [number, number], opacity?: number }} props */
export function Heat({ map, grid, opacity = settings.opacity.value }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const levels = useLevels(map);
  const palette = settings.palette.value;
  useEffect(() => {
    if (!levels || !canvas.current || levels.length !== grid[0] * grid[1]) return;
    [canvas.current.height, canvas.current.width] = grid;
    const colours = pixels(Float32Array.from(levels, (q) => q / 127), paletteOf(palette), true, opacity);
    canvas.current.getContext('2d')?.putImageData(new ImageData(colours, grid[1], grid[0]), 0, 0);
  }, [levels, palette, opacity]);
  return html`<canvas class="heat" ref=${canvas} aria-hidden="true" />`;
}

/** The picture, text or name of an item, with its map and the window of a mark. @param {{ one: Item, grid: [number, number], corner?: [number, number], mark?: Mark, maps: boolean }} props */
export function Shown({ one, grid, corner, mark, maps }) {
  if (!one.src) return html`<span class="excerpt" dir="auto">${one.text || one.key}</span>`;
  return html`<span class=${`small-picture ${maps && one.map ? 'veiled' : ''}`}><img src=${one.src} alt="" draggable=${false} />
    ${maps && one.map && grid[0] > 1 && html`<${Heat} map=${one.map} grid=${grid} />`}
    ${corner && mark && mark.grid[0] > 1 && html`<i class="frame" style=${frame(corner, mark)} />`}</span>`;
}

/** @param {[number, number]} corner Row and column, in cells of the map. @param {Mark} mark */
const frame = ([row, column], { side, grid: [down, across] }) => ({ top: `${(100 * row) / down}%`, left: `${(100 * column) / across}%`, height: `${(100 * side) / down}%`, width: `${(100 * side) / across}%` });

/**
 * Pictures of what is chosen.
 *
 * @param {{ source: Source, numbers: number[], grid: [number, number], corners?: Map<number, [number, number]>, mark?: Mark, facts?: (one: Item) => any, label: string }} props
 */
export function Grid({ source, numbers, grid, corners, mark, facts = factsOf, label }) {
  const [most, setMost] = useState(FIRST);
  const [open, setOpen] = useState(/** @type {number | null} */ (null));
  useEffect(() => {
    setMost(FIRST);
    setOpen(null);
  }, [numbers]);
  const items = useItems(source, numbers.slice(0, most));
  const maps = settings.view.value !== 'picture';
  const chosen = items.find((one) => one.item === open);
  return html`<div class="of-items">
    <ul class="item-grid" aria-label=${label}>${items.map((one) => html`<li key=${one.item}><button type="button" aria-expanded=${String(one.item === open)} title=${one.key} onClick=${() => setOpen(one.item === open ? null : one.item)}>
      <${Shown} one=${one} grid=${grid} corner=${corners?.get(one.item)} mark=${mark} maps=${maps} /><span class="aside">${one.src ? one.key : ''} ${one.predicted ? `taken for ${one.predicted}` : ''}</span></button></li>`)}</ul>
    ${numbers.length > most && html`<p><button type="button" class="plain" onClick=${() => setMost(most + 2 * FIRST)}>Show more of ${numbers.length.toLocaleString('en')}</button></p>`}
    ${chosen && html`<section class="one-item" aria-label=${chosen.key}><${Shown} one=${chosen} grid=${grid} corner=${corners?.get(chosen.item)} mark=${mark} maps=${maps} />
      <div><p><strong dir="auto">${chosen.key}</strong></p>${facts(chosen)}${source.Open && html`<${source.Open} one=${chosen} />`}</div></section>`}
  </div>`;
}

/** @param {Item} one */
export function factsOf(one) {
  const meta = Object.entries(one.meta ?? {});
  return html`<dl class="facts">
    ${one.label && html`<div><dt>Labelled</dt><dd dir="auto">${one.label}</dd></div>`}
    ${one.explained && html`<div><dt>Explained</dt><dd dir="auto">${one.explained}, ${percent(one.probability ?? 0)}</dd></div>
      <div><dt>Taken for</dt><dd dir="auto">${one.predicted}</dd></div>`}
    ${meta.map(([name, value]) => html`<div><dt dir="auto">${name}</dt><dd dir="auto">${value}</dd></div>`)}
  </dl>`;
}

/**
 * All items by name: arrow keys go through them, Space chooses, so that no pointer is needed.
 *
 * @param {{ source: Source, numbers: number[], chosen: Set<number>, toggle: (numbers: number[]) => void, label: string, grid: [number, number], value?: (number: number) => string }} props
 */
export function List({ source, numbers, chosen, toggle, label, grid, value }) {
  const [at, setAt] = useState(0);
  const start = Math.max(0, Math.min(at - ROWS / 2, numbers.length - ROWS));
  const items = useItems(source, numbers.slice(start, start + ROWS));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => setAt(0), [numbers]);
  useEffect(() => {
    const line = box.current?.querySelector('.here');
    if (line && document.activeElement === box.current) line.scrollIntoView({ block: 'nearest' });
  }, [at, items]);
  const id = `list-${label.replace(/\W+/g, '-')}`;
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -numbers.length, End: numbers.length }[event.key];
    if (step === undefined && event.key !== ' ') return;
    event.preventDefault();
    if (step === undefined) return toggle([numbers[at]]);
    const next = Math.max(0, Math.min(numbers.length - 1, at + step));
    if (event.shiftKey) toggle(numbers.slice(Math.min(at, next), Math.max(at, next) + 1).filter((number) => !chosen.has(number)));
    setAt(next);
  };
  return html`<div class="item-list" ref=${box} tabindex="0" role="listbox" aria-multiselectable="true" aria-label=${label} aria-activedescendant=${items.some((one) => one.item === numbers[at]) ? `${id}-${numbers[at]}` : undefined} onKeyDown=${keys}>
    ${items.map((one) => html`<div key=${one.item} id=${`${id}-${one.item}`} class=${one.item === numbers[at] ? 'here' : ''} role="option" aria-selected=${String(chosen.has(one.item))} onClick=${() => {
      setAt(numbers.indexOf(one.item));
      toggle([one.item]);
    }}><span class="tiny">${one.src && html`<${Shown} one=${one} grid=${grid} maps=${false} />`}</span><span dir="auto">${one.key}</span><span class="faint">${value ? value(one.item) : ''}</span></div>`)}
  </div>`;
}
