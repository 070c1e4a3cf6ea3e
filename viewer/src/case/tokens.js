import { useMemo, useState } from 'preact/hooks';
import { css, groundOf, ink, over, paletteOf } from '../data/palette.js';
import { figure, percent, withSign } from '../data/numbers.js';
import { strengths } from '../data/strength.js';
import { useRoving, useValues } from '../hooks.js';
import { html } from '../html.js';
import { Buttons } from '../parts/choice.js';
import { Legend } from '../parts/legend.js';
import { direction } from '../parts/names.js';
import { limitOf, markedTokens, settings } from '../settings.js';
import { paper } from '../theme.js';
import { Board, Empty } from './layout.js';
import { Bars, barColour } from './ledger.js';
import { SideBySide } from './side.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Layer} Layer */
/** @typedef {import('../types.js').Token} Token */
/** @typedef {{ text: string, lead: string, value: number, share: number | null, apart: boolean, tokens: number[] }} Unit A token, a word or a sentence. */

const UNITS = [
  { name: 'tokens', label: 'Tokens' },
  { name: 'words', label: 'Words' },
  { name: 'sentences', label: 'Sentences' },
];
const LISTED = 12; // units in the list below the text

/** A text, its tokens coloured. @param {{ open: Case, subject: import('../types.js').Tokens }} props */
export function TokensCase({ open, subject }) {
  const layer = open.layer.value;
  const values = useValues(layer);
  const choices = UNITS.filter(({ name }) => name === 'tokens' || layer[/** @type {'words' | 'sentences'} */ (name)]?.length > 0);
  const unit = choices.some((one) => one.name === settings.unit.value) ? settings.unit.value : 'tokens';
  const units = useMemo(() => (values ? unitsOf(subject, layer, values, unit) : []), [subject, layer, values, unit]);
  return html`<${Board} open=${open}>
    ${choices.length > 1 && html`<${Buttons} label="Sums over" options=${choices} value=${unit} choose=${(/** @type {string} */ name) => (settings.unit.value = name)} />`}
    <${Empty} layer=${layer} />
    <${Text} units=${units} layer=${layer} layers=${open.layers} ...${marking(units)} />
    <${Legend} layer=${layer} layers=${open.layers} on=${paper()} />
    <${Largest} units=${units} layer=${layer} unit=${unit} />
  <//>
  <${SideBySide} open=${open} paint=${(/** @type {Layer} */ one) => html`<${SmallText} subject=${subject} layer=${one} layers=${open.layers} unit=${unit} />`} />`;
}

/** What a unit does where tokens can be marked: all of its tokens are marked together. @param {Unit[]} units */
function marking(units) {
  const marked = markedTokens.value;
  if (!marked) return {};
  const pressed = (/** @type {number} */ n) => units[n].tokens.every((token) => marked.has(token));
  const press = (/** @type {number} */ n) => {
    const [next, was] = [new Set(marked), pressed(n)];
    for (const token of units[n].tokens) was ? next.delete(token) : next.add(token);
    markedTokens.value = next;
  };
  return { pressed, press };
}

/** @param {{ subject: import('../types.js').Tokens, layer: Layer, layers: Layer[], unit: string }} props */
function SmallText({ subject, layer, layers, unit }) {
  const values = useValues(layer);
  const units = useMemo(() => (values ? unitsOf(subject, layer, values, unit) : []), [subject, layer, values, unit]);
  return html`<span class="text small" dir=${wayOf(units)}>${colours(units, layer, layers).map(({ style }, n) => html`${units[n].lead}<span class=${classOf(units[n])} style=${style}>${units[n].text}</span>`)}</span>`;
}

/**
 * What is coloured as one, with what stands between it and the one before.
 *
 * @param {{ text: string, tokens: Token[] }} subject
 * @param {Layer} layer
 * @param {Float32Array} values
 * @param {string} unit
 * @returns {Unit[]}
 */
export function unitsOf(subject, layer, values, unit) {
  const letters = Array.from(subject.text);
  const apart = new Set([...layer.sinks, ...subject.tokens.flatMap((one, n) => (one.kind === 'text' ? [] : [n]))]);
  const spans = unit === 'tokens' ? subject.tokens.map((_, n) => [n]) : layer[/** @type {'words' | 'sentences'} */ (unit)].map((one) => one.tokens);
  const totals = [1, -1].map((sign) => values.reduce((sum, value, n) => (apart.has(n) || value * sign <= 0 ? sum : sum + value), 0));
  let end = 0;
  return spans.map((tokens, n) => {
    const written = tokens.map((token) => subject.tokens[token]).filter((one) => one.end > one.start);
    const start = Math.max(end, Math.min(...written.map((one) => one.start), letters.length));
    const stop = Math.max(start, ...written.map((one) => one.end));
    const lead = written.length ? letters.slice(end, start).join('') : '';
    const text = written.length ? letters.slice(start, stop).join('') : tokens.map((token) => subject.tokens[token].text).join('');
    if (written.length) end = stop;
    const value = unit === 'tokens' ? values[n] : layer[/** @type {'words' | 'sentences'} */ (unit)][n].value;
    const aside = tokens.some((token) => apart.has(token));
    const total = totals[value < 0 ? 1 : 0];
    return { text: text || subject.tokens[tokens[0]]?.text || '∅', lead, value, share: aside || !total ? null : value / total, apart: aside, tokens };
  });
}

/** @param {Unit} unit */
const classOf = (unit) => `token ${unit.apart ? 'apart' : ''}`;

/** The colours of units, those of letters on them included. @param {Unit[]} units @param {Layer} layer @param {Layer[]} layers */
export function colours(units, layer, layers) {
  const palette = paletteOf(settings.palette.value);
  const ground = palette.name === 'grey' ? groundOf(palette, layer.signed) : paper();
  const { threshold, sign } = settings;
  const limit = Math.max(limitOf(layer, layers), settings.scale.value === 'own' ? peak(units) : 0);
  const strength = strengths(Float32Array.from(units, (one) => one.value), { limit, threshold: threshold.value, sign: sign.value, signed: layer.signed });
  return units.map((one, n) => {
    if (one.apart || layer.nothing || layer.doubt) return { style: {} };
    const colour = over(palette, strength[n], layer.signed, ground);
    return { style: strength[n] || palette.name === 'grey' ? { background: css(colour), color: ink(colour) } : {} };
  });
}

/** How the text reads; special tokens have no say. @param {Unit[]} units */
const wayOf = (units) => direction(units.filter((one) => !one.apart).map((one) => one.text).join(' '));

/** Sums over many tokens may lie beyond the scale of single ones. @param {Unit[]} units */
const peak = (units) => (units.some((one) => one.tokens.length > 1) ? Math.max(...units.filter((one) => !one.apart).map((one) => Math.abs(one.value)), 0) : 0);

/** The text; every unit can be pointed at and reached by keys. @param {{ units: Unit[], layer: Layer, layers: Layer[], pressed?: (n: number) => boolean | undefined, press?: (n: number) => void, label?: string }} props */
export function Text({ units, layer, layers, pressed, press, label = 'The text. Arrow keys move from one part to the next.' }) {
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const [held, setHeld] = useState(/** @type {number | null} */ (null));
  const roving = useRoving(units.length);
  const shown = at ?? held;
  const hit = (/** @type {number} */ n) => (press && pressed?.(n) !== undefined ? press(n) : setHeld(held === n ? null : n));
  const isPressed = (/** @type {number} */ n) => pressed?.(n) ?? held === n;
  return html`<div class="text" dir=${wayOf(units)} role="group" aria-label=${label} data-roving>${colours(units, layer, layers).map(({ style }, n) => {
      const one = units[n];
      const { onFocus, onKeyDown, ...rest } = roving.props(n);
      return html`${one.lead}<span
        key=${n} role="button" class=${classOf(one)} style=${style} aria-pressed=${String(isPressed(n))}
        aria-label=${`${one.text} ${withSign(one.value, layer.signed)}`}
        ...${rest}
        onFocus=${() => (onFocus(), setAt(n))} onBlur=${() => setAt(null)} onPointerEnter=${() => setAt(n)} onPointerLeave=${() => setAt(null)}
        onClick=${() => hit(n)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => (event.key === 'Enter' || event.key === ' ' ? (event.preventDefault(), hit(n)) : onKeyDown(event))}
      >${one.text}</span>`;
    })}</div>
    <p class="readout" role="status">${shown !== null && units[shown] ? tell(units[shown], layer) : html`<span class="faint">Point at the text, or use the arrow keys in it, to read values.</span>`}</p>`;
}

/** @param {Unit} unit @param {Layer} layer */
function tell(unit, layer) {
  const side = layer.signed ? (unit.value < 0 ? ' of what speaks against' : ' of what speaks for') : ' of all';
  const share = unit.apart ? ', kept apart from the scale' : unit.share === null ? '' : `, ${percent(unit.share, 1)}${side}`;
  return html`<bdi>${unit.text}</bdi>: ${withSign(unit.value, layer.signed)}${share}`;
}

/** The largest contributions, and the sum of all. @param {{ units: Unit[], layer: Layer, unit: string }} props */
export function Largest({ units, layer, unit }) {
  if (!units.length || layer.nothing) return null;
  const apart = units.filter((one) => one.apart);
  const order = units.filter((one) => !one.apart).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, LISTED);
  const sum = (/** @type {Unit[]} */ list) => list.reduce((total, one) => total + one.value, 0);
  const bar = (/** @type {Unit} */ one) => ({ label: one.text.trim() || '␣', amount: one.value, from: 0, to: one.value });
  return html`<section class="largest">
    <h2 class="minor">The largest contributions, by ${unit}</h2>
    <${Bars} bars=${order.map(bar)} label=${`The largest contributions, by ${unit}`} colour=${barColour(layer)} />
    ${apart.length > 0 && html`<p class="faint">Kept apart from the scale: <bdi>${apart.slice(0, 8).map((one) => `${one.text.trim()} ${withSign(one.value, layer.signed)}`).join(', ')}</bdi>${apart.length > 8 ? ` and ${apart.length - 8} more, together ${figure(sum(apart))}` : ''}.</p>`}
    <p class="sum">Sum over all ${units.length} ${unit}: <output>${figure(sum(units))}</output></p>
  </section>`;
}
