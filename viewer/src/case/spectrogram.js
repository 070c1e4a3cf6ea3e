import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { figure } from '../data/numbers.js';
import { useLevels, useValues } from '../hooks.js';
import { html } from '../html.js';
import { Legend } from '../parts/legend.js';
import { caseOf, channelOf } from './derived.js';
import { Views } from './controls.js';
import { Board, Empty } from './layout.js';
import { Stage } from './stage.js';
import { Select } from '../parts/choice.js';

/** @typedef {import('../settings.js').Case} Case */
/** @typedef {import('../types.js').Spectrogram} Spectrogram */

const RATIO = 2; // a spectrogram is drawn twice as wide as tall

/** How loud each frequency was over time, and what of it speaks for and against. @param {{ open: Case, subject: Spectrogram }} props */
export function SpectrogramCase({ open, subject }) {
  const [channel, setChannel] = useState(0);
  const layer = open.layer.value;
  const values = useValues(layer);
  const own = useMemo(() => ({ region: signal(null), place: signal(null) }), [open]);
  const { height } = subject;
  const hertz = (/** @type {number} */ n) => `${figure(subject.frequencies[height - 1 - n])} Hz`;
  const seconds = (/** @type {number} */ n) => `${figure(subject.times[n])} s`;
  const shown = useMemo(() => values && caseOf({ ...open, layers: [layer] }, (one) => channelOf(one, values, channel, height), own), [open, layer, values, channel]);
  const names = subject.channels.map((name, n) => ({ name: String(n), label: name || `channel ${n + 1}` }));
  return html`<${Board} open=${open} picture>
    <${Views} layer=${layer} />
    ${names.length > 1 && html`<${Select} label="Channel" options=${names} value=${String(channel)} choose=${(/** @type {string} */ n) => setChannel(Number(n))} />`}
    <${Empty} layer=${layer} />
    ${shown && html`<${Stage} open=${shown} width=${RATIO * 100} height=${100} caption="Loudness of every frequency over time" rows=${hertz} columns=${seconds}>
      <${Levels} subject=${subject} channel=${channel} />
    <//>`}
    <div class="axis" aria-hidden="true">${[0, 0.25, 0.5, 0.75, 1].map((share) => html`<span>${figure(share * subject.duration)} s</span>`)}</div>
    <p class="faint">From ${hertz(height - 1)} below to ${hertz(0)} above; dark is loud, from ${figure(subject.low)} to ${figure(subject.high)} ${subject.unit}.</p>
    <${Legend} layer=${layer} layers=${open.layers} />
  <//>`;
}

/** @param {{ subject: Spectrogram, channel: number }} props */
function Levels({ subject, channel }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const levels = useLevels(subject.levels);
  const { height, width } = subject;
  useEffect(() => {
    if (!canvas.current || !levels) return;
    const loud = new Uint8Array(levels.buffer, channel * height * width, height * width);
    const pixels = new ImageData(width, height);
    loud.forEach((level, n) => {
      const grey = 255 - level;
      const to = 4 * ((height - 1 - Math.floor(n / width)) * width + (n % width));
      pixels.data.set([grey, grey, grey, 255], to);
    });
    canvas.current.width = width;
    canvas.current.height = height;
    canvas.current.getContext('2d')?.putImageData(pixels, 0, 0);
  }, [levels, channel]);
  return html`<canvas ref=${canvas} />`;
}
