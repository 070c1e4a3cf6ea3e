import { signal } from '@preact/signals';

const query = matchMedia('(prefers-color-scheme: dark)');

/** Whether the page is dark; paper is not. */
export const dark = signal(query.matches);

query.addEventListener('change', () => (dark.value = query.matches));
addEventListener('beforeprint', () => (dark.value = false));
addEventListener('afterprint', () => (dark.value = query.matches));

/** What coloured words lie on. @returns {import('./data/palette.js').Colour} */
export const paper = () => (dark.value ? [20, 22, 26] : [255, 255, 255]);
