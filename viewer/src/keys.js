import { active, announcement, help, nearest, settings, show, targetsOf } from './settings.js';

export const VIEWS = [
  { name: 'picture', label: 'Picture', key: '1', says: 'the picture alone' },
  { name: 'overlay', label: 'Overlay', key: '2', says: 'the map over the picture in its own colours' },
  { name: 'map', label: 'Map', key: '3', says: 'the map over the picture in pale grey' },
  { name: 'regions', label: 'Regions', key: '4', says: 'the regions that say most, outlined, with their shares' },
];

/** What every key does, as the help shows it. @type {[string, string][]} */
export const KEYS = [
  ['1', 'Picture alone'],
  ['2', 'Map over the picture'],
  ['3', 'Map over pale grey'],
  ['4', 'Regions with their shares'],
  ['[ and ]', 'Less and more opacity'],
  ['T', 'Next target'],
  ['M', 'Next method'],
  ['V', 'Contrast with another class, and back'],
  ['Arrow keys', 'On the picture: move the cursor. Among regions or words: the next one'],
  ['Enter', 'Choose the region or word'],
  ['Escape', 'Choose nothing'],
  ['?', 'This help'],
];

/** @param {string} name */
export function setView(name) {
  settings.view.value = name;
}

/** @param {number} step */
function fade(step) {
  settings.opacity.value = Math.round(100 * Math.max(0, Math.min(1, settings.opacity.value + step))) / 100;
  announcement.value = `Opacity ${Math.round(100 * settings.opacity.value)} %`;
}

/** The next of a list, round and round. @template T @param {T[]} list @param {T} now */
const after = (list, now) => list[(list.indexOf(now) + 1) % list.length];

function nextTarget() {
  const open = active.value;
  if (open) show(open, nearest(open, { target: after(targetsOf(open.layers), open.layer.value.target) }));
}

function nextMethod() {
  const open = active.value;
  if (!open) return;
  const same = open.layers.filter((one) => one.target === open.layer.value.target);
  show(open, after(same, open.layer.value));
}

/** To a difference of two scores and back. */
export function versus() {
  const open = active.value;
  if (!open) return;
  const wanted = !open.layer.value.contrast;
  const fits = open.layers.filter((one) => Boolean(one.contrast) === wanted);
  const next = fits.find((one) => one.method === open.layer.value.method) ?? fits[0];
  if (next) show(open, next);
  else announcement.value = wanted ? 'This document holds no contrast with another class.' : 'This document holds contrasts only.';
}

/** @type {Record<string, () => void>} */
const ACTIONS = {
  ...Object.fromEntries(VIEWS.map((one) => [one.key, () => setView(one.name)])),
  '[': () => fade(-0.1),
  ']': () => fade(0.1),
  t: nextTarget,
  m: nextMethod,
  v: versus,
  '?': () => (help.value = !help.value),
  Escape: () => active.value && (active.value.region.value = active.value.place.value = null),
};

/** Keys belong to fields where text is typed or a list is searched by letters. @param {EventTarget | null} target */
export function typing(target) {
  const element = /** @type {HTMLElement | null} */ (target);
  return Boolean(element?.closest?.('select, textarea, input:not([type=range]):not([type=checkbox])'));
}

export function listen() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || (event.key !== 'Escape' && event.key !== '?' && help.value)) return;
    action();
    if (event.key !== 'Escape') event.preventDefault();
  });
}
