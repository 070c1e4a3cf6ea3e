import { signal } from '@preact/signals';

/** The fragment of the address, in a report. */
export const hash = signal(location.hash);
addEventListener('hashchange', () => (hash.value = location.hash));

/** @typedef {{ parts: string[], link: (...parts: (string | number)[]) => string }} Place What is open, and addresses of what else could be. */

/** A place inside a report, below the address of its page. @param {string} base @returns {Place} */
export function placeIn(base) {
  const parts = hash.value.replace(new RegExp(`^${base}`), '').replace(/^#?\/?/, '').split('/');
  const own = parts[0] === 'audit' ? parts.slice(1).filter(Boolean) : [];
  return { parts: own, link: (...more) => `${base || '#'}/audit${more.map((one) => `/${one}`).join('')}` };
}
