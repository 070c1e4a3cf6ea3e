import { html } from '../html.js';
import { percent } from '../data/numbers.js';
import { tools } from '../settings.js';

/** What the model saw first, with probabilities. @param {{ classes: import('../types.js').Class[], layer: import('../types.js').Layer }} props */
export function Classes({ classes, layer: { target, contrast } }) {
  if (!classes.length) return null;
  const chosen = (/** @type {import('../types.js').Class} */ one) => target.includes(`"${one.label}"`) || ` ${target} `.includes(` ${one.index} `);
  const other = (/** @type {import('../types.js').Class} */ one) => contrast?.[1][0].includes(`"${one.label}"`);
  return html`<section class="classes">
    <h2 class="minor">The model's first choices</h2>
    <table>
      <caption class="aside">Classes and their probabilities</caption>
      <colgroup><col class="wide" /><col /><col class="narrow" /></colgroup>
      <thead class="aside"><tr><th scope="col">Class</th><th scope="col">Bar</th><th scope="col">Probability</th></tr></thead>
      <tbody>${classes.map(
        (one) => html`<tr class=${chosen(one) ? `chosen ${other(one) ? 'other' : ''}` : ''}>
          <th scope="row" dir="auto">${choosable(one, one.label || `class ${one.index}`)}</th>
          <td class="track"><div class="line"><i style=${{ width: `${100 * one.probability}%` }} /></div></td>
          <td class="number">${percent(one.probability, 1)}</td>
        </tr>`,
      )}</tbody>
    </table>
  </section>`;
}

/** A class by its name; a button where the page can ask about it. @param {import('../types.js').Class} one @param {string} name */
function choosable(one, name) {
  const choose = tools.value?.choose;
  return choose ? html`<button type="button" class="name" onClick=${() => choose(one)}>${name}</button>` : name;
}
