import { render } from 'preact';
import { App } from './app.js';
import { html } from './html.js';
import { listen } from './keys.js';

/** Paints the document that the page holds; where that fails, the still page stays. */
function start() {
  const place = document.getElementById('viewer');
  const source = document.getElementById('document');
  if (!place || !source) return;
  const doc = JSON.parse(source.textContent ?? '');
  if (doc.schema !== 1) throw new Error(`This viewer reads documents of schema 1, and this one has ${doc.schema}.`);
  render(html`<${App} doc=${doc} />`, place);
  document.documentElement.classList.add('painted'); // which hides the still page
  listen();
}

start(); // at once: the still page, which follows, is then never laid out
