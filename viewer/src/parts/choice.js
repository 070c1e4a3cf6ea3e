import { html } from '../html.js';

/** @typedef {{ name: string, label: string, key?: string, says?: string }} Option */

/**
 * A row of buttons, one of which is pressed.
 *
 * @param {{ label: string, options: Option[], value: string, choose: (name: string) => void }} props
 */
export function Buttons({ label, options, value, choose }) {
  return html`<div class="buttons" role="group" aria-label=${label}>
    ${options.map(
      (one) => html`<button
        type="button"
        aria-pressed=${String(one.name === value)}
        aria-keyshortcuts=${one.key}
        title=${one.says && `${one.says[0].toUpperCase()}${one.says.slice(1)}${one.key ? ` (key ${one.key})` : ''}`}
        onClick=${() => choose(one.name)}
      >${one.label}</button>`,
    )}
  </div>`;
}

/** @param {{ label: string, options: Option[], value: string, choose: (name: string) => void }} props */
export function Select({ label, options, value, choose }) {
  const change = (/** @type {Event} */ event) => choose(/** @type {HTMLSelectElement} */ (event.currentTarget).value);
  return html`<label class="field"><span>${label}</span>
    <select dir="auto" value=${value} onChange=${change}>
      ${options.map((one) => html`<option value=${one.name} selected=${one.name === value}>${one.label}</option>`)}
    </select>
  </label>`;
}

/**
 * A share in [0, 1] on a slider.
 *
 * @param {{ label: string, value: number, choose: (share: number) => void, says?: string }} props
 */
export function Slider({ label, value, choose, says }) {
  const whole = Math.round(100 * value);
  const change = (/** @type {Event} */ event) => choose(Number(/** @type {HTMLInputElement} */ (event.currentTarget).value) / 100);
  return html`<label class="field"><span>${label}</span>
    <span class="slide">
      <input type="range" min="0" max="100" step="1" value=${whole} aria-valuetext=${says ?? `${whole} %`} onInput=${change} />
      <output aria-hidden="true">${whole} %</output>
    </span>
  </label>`;
}
