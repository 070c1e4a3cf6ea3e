import { useEffect, useMemo, useState } from 'preact/hooks';
import { inflate, valuesOf } from './data/decode.js';

/** @typedef {import('./types.js').Layer} Layer */

/** The values of a layer, or null until they are unpacked. @param {Layer | undefined} layer */
export function useValues(layer) {
  return useLater(layer, async () => (layer ? valuesOf(layer) : null));
}

/** Bytes of a packed map, or null until then. @param {string} packed */
export function useLevels(packed) {
  return useLater(packed, () => inflate(packed));
}

/**
 * @template T
 * @param {unknown} key
 * @param {() => Promise<T>} make
 * @returns {T | null}
 */
function useLater(key, make) {
  const [made, setMade] = useState(/** @type {{ key: unknown, value: T } | null} */ (null));
  useEffect(() => {
    let wanted = true;
    make().then((value) => wanted && setMade({ key, value }));
    return () => void (wanted = false);
  }, [key]);
  return made && made.key === key ? made.value : null;
}

/**
 * Arrow keys among a row of buttons: one of them takes part in Tab, the others are reached from it.
 *
 * @param {number} size
 */
export function useRoving(size) {
  const [at, setAt] = useState(0);
  const here = Math.min(at, Math.max(0, size - 1));
  return useMemo(
    () => ({
      /** @param {number} n */
      props: (n) => ({
        tabIndex: n === here ? 0 : -1,
        onFocus: () => setAt(n),
        onKeyDown: (/** @type {KeyboardEvent} */ event) => {
          const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
          const goal = event.key === 'Home' ? 0 : event.key === 'End' ? size - 1 : step === undefined ? null : (n + step + size) % size;
          if (goal === null) return;
          event.preventDefault();
          setAt(goal);
          const group = /** @type {HTMLElement} */ (event.currentTarget).closest('[data-roving]');
          /** @type {HTMLElement | undefined} */ (group?.querySelectorAll('[data-stop]')[goal])?.focus();
        },
        'data-stop': '',
      }),
    }),
    [here, size],
  );
}
