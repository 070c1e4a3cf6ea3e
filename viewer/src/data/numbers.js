// Numbers as pellucid's captions print them: pellucid/core/numbers.py says the same in Python.

/** @param {number[]} values How many decimals show three figures of the largest, and never less than two. */
export function decimals(...values) {
  const largest = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  return largest ? Math.max(2, 2 - Math.floor(Math.log10(largest))) : 2;
}

/** @param {number | null | undefined} value @param {number} [places] */
export function figure(value, places) {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'not a number';
  const digits = places ?? decimals(value);
  if (digits > 6 || Math.abs(value) >= 1e6) return value.toExponential(2).replace(/-/g, '−');
  const shows = Math.abs(value) >= 0.5 * 10 ** -digits;
  return (shows ? value : 0).toFixed(digits).replace('-', '−');
}

/** @param {number | null | undefined} value @param {boolean} [signed] */
export function withSign(value, signed = true) {
  return `${signed && value && value > 0 ? '+' : ''}${figure(value)}`;
}

/** @param {number} share In [0, 1]. @param {number} [places] */
export function percent(share, places = 0) {
  const text = `${(100 * share).toFixed(places)} %`;
  return share > 0 && share < 0.5 / 10 ** (2 + places) ? `< ${(1 / 10 ** places).toFixed(places)} %` : text;
}
