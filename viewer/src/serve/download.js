import { html } from '../html.js';
import { request } from './api.js';
import { busy, work } from './state.js';

/** A button that fetches with the token, and saves. @param {{ path: string, name?: string, label: string }} props */
export function Download({ path, name = path.split('/').at(-1), label }) {
  const save = async () => {
    const content = await busy(`Making ${name}`, 'download', async (_, signal) => (await request(path, { signal })).blob());
    if (!content) return;
    const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(content), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  return html`<button type="button" class="plain" disabled=${work.value?.kind === 'answer'} onClick=${save}>${label}</button>`;
}
