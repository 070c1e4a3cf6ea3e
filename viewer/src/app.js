import { html } from './html.js';
import { Page } from './page.js';
import { Help } from './parts/help.js';
import { announcement, help } from './settings.js';

/** @param {{ doc: import('./types.js').Doc }} props */
export function App({ doc }) {
  return html`<${Page} doc=${doc} />
    <footer>
      <span>pellucid</span>
      <button type="button" class="plain" aria-keyshortcuts="?" onClick=${() => (help.value = true)}>Keys</button>
    </footer>
    <p class="aside" role="status">${announcement.value}</p>
    <${Help} />`;
}
