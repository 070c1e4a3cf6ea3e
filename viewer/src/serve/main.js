import { render } from 'preact';
import { html } from '../html.js';
import { listen } from '../keys.js';
import { ServeApp } from './app.js';
import { listenForInputs } from './intake.js';
import { listenForWork } from './keys.js';
import { loadRuns } from './runs.js';
import { begin, resume } from './state.js';

listen();
listenForWork();
listenForInputs();
resume();
render(html`<${ServeApp} />`, /** @type {HTMLElement} */ (document.getElementById('viewer')));
void begin().then(loadRuns);
