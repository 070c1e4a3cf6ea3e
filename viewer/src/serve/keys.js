import { KEYS, typing } from '../keys.js';
import { hideRegion, moveRegion, toggleRegion } from './region.js';
import { undo } from './state.js';

KEYS.push(
  ['R', 'Mark a region with arrow keys; Shift and an arrow key change its size'],
  ['H', 'Hide what is marked, and measure the change'],
  ['Ctrl Z', 'Back to the question before'],
);

/** Keys of the page that a report does not have. */
export function listenForWork() {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || typing(event.target)) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z') {
      undo();
      event.preventDefault();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() === 'r') toggleRegion();
    else if (event.key.toLowerCase() === 'h') void hideRegion();
    else if (!moveRegion(event)) return;
    event.preventDefault();
  }, true);
}
