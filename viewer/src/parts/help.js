import { useEffect, useRef } from 'preact/hooks';
import { html } from '../html.js';
import { KEYS } from '../keys.js';
import { help } from '../settings.js';

/** Which key does what, over the page. */
export function Help() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const open = help.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return html`<dialog ref=${dialog} aria-labelledby="help-title" onClose=${() => (help.value = false)}>
    <h2 id="help-title">Keys</h2>
    <dl>${KEYS.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
    <button type="button" class="plain" onClick=${() => (help.value = false)}>Close</button>
  </dialog>`;
}
