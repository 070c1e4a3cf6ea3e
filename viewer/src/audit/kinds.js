// Kinds of document about many items: they take a third of the whole viewer, and reports without one leave them out.
import { EvaluationApp } from '../kinds/evaluation.js';
import { KEYS } from '../keys.js';
import { KINDS } from '../page.js';
import { AuditApp } from './audit.js';

Object.assign(KINDS, { audit: AuditApp, evaluation: EvaluationApp });
KEYS.push(['On points', 'Arrow keys move, + and - zoom, 0 shows all'], ['In their list', 'Arrow keys go on, Space chooses; with Shift, all between']);
