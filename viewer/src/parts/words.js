import { html } from '../html.js';
import { names } from './names.js';

/** Names of code without their back quotes. @param {string} text */
const plain = (text) => text.replace(/`([^`\s]+)`/g, '$1');

/** What a reader has to know: the sentence, then warnings, then notes. @param {{ sentence: string, warnings?: string[], notes?: string[] }} props */
export function Words({ sentence, warnings = [], notes = [] }) {
  return html`<div class="words" aria-live="polite" aria-atomic="true">
    ${sentence && html`<p class="sentence" dir="auto">${names(sentence)}</p>`}
    ${warnings.map((text) => html`<p class="warning" dir="auto"><strong>Warning.</strong> ${plain(text)}</p>`)}
    ${notes.map((text) => html`<p class="note" dir="auto">${plain(text)}</p>`)}
  </div>`;
}
