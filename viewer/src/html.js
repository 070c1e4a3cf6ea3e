import htm from 'htm';
import { h } from 'preact';

/** Markup as tagged template strings: nothing is compiled at run time, so the page's policy can forbid evaluation. */
export const html = htm.bind(h);
