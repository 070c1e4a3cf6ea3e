// The viewer with all kinds of document.
import './audit/kinds.js';
import './main.js';
