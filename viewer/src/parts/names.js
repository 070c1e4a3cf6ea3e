import { html } from '../html.js';

const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const LETTER = /\p{L}/u;

/** Whether a text reads from right to left as a whole, by its first letter. @param {string} text @returns {'rtl' | 'ltr'} */
export function direction(text) {
  const letter = LETTER.exec(text)?.[0];
  return letter && LEFTWARD.test(letter) ? 'rtl' : 'ltr';
}

/** A sentence whose names in quotes may read from right to left: each is ordered by itself, so that numbers stay behind it. @param {string} text */
export function names(text) {
  if (!LEFTWARD.test(text) || direction(text) === 'rtl') return text;
  return text.split(/(?<=")([^"]+)(?=")/).map((part, n) => (n % 2 && LEFTWARD.test(part) ? html`<bdi>${part}</bdi>` : part));
}
