import { KEYS, typing } from '../keys.js';
import { active } from '../settings.js';
import { askUnits, hideRegion, moveRegion, toggleRegion } from './region.js';
import { change, classOf, clinic, methods, question, typed, undo } from './state.js';

if (!clinic)
  KEYS.push(
    ['R', 'Mark a region with arrow keys; Shift and an arrow key change its size'],
    ['H', 'Hide what is marked, and measure the change'],
    ['U', 'Units that answer to what is marked'],
  );
KEYS.push(['Ctrl Z', 'Back to the question before']);

/** The classes of the one map that is shown; a page with several has them at hand, and needs no question. */
const classes = () => (active.value?.layers.length === 1 ? (active.value.doc.classes ?? []) : []);

/** The class that is explained, by its number. */
const shown = () => classOf(active.value?.layer.value.target ?? '');

/** Asks about the next of the model's first choices. */
function nextTarget() {
  const all = classes();
  if (all.length < 2) return false;
  const now = all.findIndex((one) => String(one.index) === shown());
  change({ target: typed(all[(now + 1) % all.length]), versus: '' });
  return true;
}

/** Asks about the difference from the strongest other class, and back. */
function versus() {
  const [all, contrast] = [classes(), active.value?.layer.value.contrast];
  if (!all.length) return false;
  const other = all.find((one) => String(one.index) !== shown());
  if (contrast) change({ versus: '' });
  else if (other) change({ versus: typed(other) });
  return true;
}

/** Asks with the next method that runs the network a few times only. */
function nextMethod() {
  if (!classes().length) return false;
  const quick = methods.value.filter((one) => one.works && !one.repeats).map((one) => one.name);
  if (quick.length) change({ method: quick[(quick.indexOf(question.value.method) + 1) % quick.length] });
  return true;
}

/** What a key does; false: it is not the page's. @type {Record<string, () => unknown>} */
const ACTIONS = clinic ? {} : { r: toggleRegion, h: hideRegion, u: askUnits, t: nextTarget, v: versus, m: nextMethod };

/** Keys of the page that a report does not have. */
export function listenForWork() {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || typing(event.target) || document.querySelector('dialog[open]')) return;
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && key === 'z') undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key in ACTIONS ? ACTIONS[key]() === false : !moveRegion(event)) return;
    event.preventDefault();
  }, true);
}
