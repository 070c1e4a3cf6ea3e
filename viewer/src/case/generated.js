import { useMemo, useState } from 'preact/hooks';
import { useValues } from '../hooks.js';
import { html } from '../html.js';
import { Legend } from '../parts/legend.js';
import { rowOf } from './derived.js';
import { Board, Empty } from './layout.js';
import { paper } from '../theme.js';
import { Stage } from './stage.js';
import { Largest, Text, unitsOf } from './tokens.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Generated} Generated */

const TALLEST = 2.5; // a row of the table of all new tokens is at most so many times as tall as wide

/** A generated text: for one new token, what speaks for it among all before. @param {{ open: Case, subject: Generated }} props */
export function GeneratedCase({ open, subject }) {
  const [row, setRow] = useState(0);
  const layer = open.layer.value;
  const values = useValues(layer);
  const now = Math.min(row, layer.shape[0] - 1);
  const one = values && rowOf(layer, values, now);
  const rows = useMemo(() => new Map(layer.rows.map((about, n) => [about.token, n])), [layer]);
  const units = useMemo(() => (values && one ? unitsOf(subject, one, values.subarray(now * layer.shape[1], (now + 1) * layer.shape[1]), 'tokens') : []), [subject, one, values, now]);
  const name = (/** @type {number} */ token) => `“${subject.tokens[token]?.text.trim() || '␣'}”`;
  return html`<${Board} open=${open}>
    <p>What speaks for <strong dir="auto">${one?.equation ?? layer.equation}</strong>. <span class="faint">Choose another new token in the text.</span></p>
    <${Empty} layer=${layer} />
    ${one && html`<${Text}
      units=${units} layer=${one} layers=${open.layers}
      pressed=${(/** @type {number} */ n) => (rows.has(n) ? rows.get(n) === now : undefined)} press=${(/** @type {number} */ n) => setRow(rows.get(n) ?? 0)}
      label="The text. Arrow keys move from one token to the next; Enter on a new token explains it."
    />`}
    <${Legend} layer=${layer} layers=${open.layers} on=${paper()} />
    ${one && html`<${Largest} units=${units.slice(0, layer.rows[now]?.token ?? units.length)} layer=${one} unit="tokens" />`}
    <section class="largest"><h2 class="minor">All new tokens: a row for each, a column for each token before it</h2>
      <${Stage} open=${open} width=${layer.shape[1]} height=${Math.min(layer.shape[0], TALLEST * layer.shape[1])} plain caption="A row for each new token, a column for each token before it"
        rows=${(/** @type {number} */ n) => name(layer.rows[n]?.token)} columns=${(/** @type {number} */ n) => `token ${name(n)}`} />
    </section>
  <//>`;
}
