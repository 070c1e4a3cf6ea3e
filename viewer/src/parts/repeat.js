import { useState } from 'preact/hooks';
import { copy } from '../data/save.js';
import { html } from '../html.js';
import { announcement } from '../settings.js';
import { DataTable } from './data-table.js';

/** @typedef {import('../types.js').Doc} Doc */
/** @typedef {import('../types.js').Layer} Layer */

/** What it takes to repeat this. @param {{ doc: Doc, layer?: Layer }} props */
export function Repeat({ doc, layer }) {
  const command = layer?.command ?? doc.command;
  const facts = Object.entries(doc.provenance ?? {}).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
  if (!command?.cli && !command?.python && !facts.length) return null;
  return html`<section class="repeat">
    <h2>Repeat this</h2>
    ${command?.cli && html`<${Command} title="In the shell" button="Copy command" text=${command.cli} />`}
    ${command?.python && !code(command.python) && html`<p dir="auto">${command.python.replace(/^#\s*/gm, '')}</p>`}
    ${command?.python && code(command.python) && html`<${Command} title="In Python" button="Copy Python" text=${command.python} />`}
    ${facts.length > 0 && html`<${DataTable} title="Versions, model and options" table=${{ head: ['What', 'Value'], rows: facts }} />`}
  </section>`;
}

/** Whether there is more than comments. @param {string} text */
const code = (text) => text.split('\n').some((line) => line.trim() && !line.startsWith('#'));

/** @param {{ title: string, button: string, text: string }} props */
function Command({ title, button, text }) {
  const [state, setState] = useState('');
  const act = async () => {
    const done = await copy(text);
    setState(done ? 'Copied' : 'Select it and copy');
    announcement.value = done ? `${title}: copied` : 'The browser does not allow copying here: select the text and copy it.';
    setTimeout(() => setState(''), 2000);
  };
  return html`<div class="command">
    <div class="head"><h3>${title}</h3><button type="button" class="plain" onClick=${act}>${state || button}</button></div>
    <pre tabindex="0" role="region" aria-label=${title}><code>${text}</code></pre>
  </div>`;
}
