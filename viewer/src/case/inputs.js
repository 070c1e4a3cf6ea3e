import { signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { percent } from '../data/numbers.js';
import { html } from '../html.js';
import { BODIES } from './bodies.js';
import { caseOf, partOf } from './derived.js';
import { Board } from './layout.js';
import { Bars } from './ledger.js';
import { Values } from './values.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Inputs} Inputs */

/** Several inputs, one under another, each on its own scale. @param {{ open: Case, subject: Inputs }} props */
export function InputsCase({ open, subject }) {
  const parts = open.layer.value.parts;
  const shares = parts.filter((one) => one.share !== null).map((one) => ({ label: one.name, amount: one.share ?? 0, from: 0, to: one.share ?? 0 }));
  return html`<${Board} open=${open} picture>${shares.length > 0 && html`<section><h2>Which input holds how much of all evidence</h2><${Bars} bars=${shares} label="Share of every input" words=${percent} /></section>`}<//>
    ${subject.parts.map((one, n) => html`<${Part} key=${n} open=${open} part=${one} n=${n} />`)}`;
}

/** @param {{ open: Case, part: Inputs['parts'][number], n: number }} props */
function Part({ open, part, n }) {
  const own = useMemo(() => ({ region: signal(null), place: signal(null) }), [open]);
  const shown = useMemo(() => caseOf(open, (layer) => partOf(layer, n), own), [open, n]);
  const Body = BODIES[part.subject.kind];
  return html`<section class="part">
    <h2 dir="auto">${part.name}${part.share !== null && html` <span class="faint">${percent(part.share)} of all evidence</span>`}</h2>
    ${Body && html`<${Body} open=${shown} subject=${part.subject} /><${Values} subject=${part.subject} layer=${shown.layer.value} />`}
  </section>`;
}
