import { render } from 'preact';
import { html } from '../html.js';
import { listen } from '../keys.js';
import '../audit/kinds.js';
import { ServeApp } from './app.js';
import { listenForInputs } from './intake.js';
import { listenForWork } from './keys.js';
import { loadRuns } from './runs.js';
import { begin } from './state.js';

listen();
listenForWork();
listenForInputs();
render(html`<${ServeApp} />`, /** @type {HTMLElement} */ (document.getElementById('viewer')));
void begin().then(loadRuns);
