/**
 * What the page asks of its server. The token came in the fragment of the address; it is kept for this tab alone.
 *
 * @typedef {{ done?: number, total?: number, what?: string, picture?: string }} Progress
 * @typedef {{ task: string, state: string, progress?: Progress, result?: string, error?: { kind: string, message: string } }} TaskState
 */

const KEY = 'pellucid-token';

/** The token, taken out of the address so that no picture of the screen shows it. */
export function takeToken() {
  const found = /^#token=([\w-]+)(?:&(.*))?$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEY, found[1]);
  history.replaceState(null, '', `#${found[2] ?? '/'}`);
}

/** An address of this page that works in another tab. @param {string} route */
export function addressOf(route) {
  const token = sessionStorage.getItem(KEY);
  return `${location.origin}/#${token ? `token=${token}&` : ''}${route}`;
}

/** What went wrong, in words. */
export class Failure extends Error {}

const GONE = 'The server does not answer. Is it still running?';
/** What an answer means, where the server's words are for programs. @type {Record<number, string>} */
const SAID = {
  401: 'The server does not know this page. Open the address that it printed.',
  429: 'The server is busy. Try again in a moment.',
};

/** @param {string} path @param {RequestInit} [options] */
export async function request(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...options.headers };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Failure(GONE);
  }
  if (answer.ok) return answer;
  const words = await answer.json().then((said) => said.error?.message, () => null);
  throw new Failure(SAID[answer.status] ?? words ?? `The server answered ${answer.status}.`);
}

/** Forgets an input, also while the page closes. @param {string} id */
export const forget = (id) => void request(`/v1/inputs/${id}`, { method: 'DELETE', keepalive: true }).catch(() => {});

/** @param {string} path */
export const getJson = async (path) => (await request(path)).json();

/**
 * Hands in an input.
 *
 * @param {Blob} content
 * @param {string} type
 * @param {string} name
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ input: string, kind: string, size: { height: number, width: number } | null, rows: number | null }>}
 */
export async function upload(content, type, name, signal) {
  const headers = { 'Content-Type': type, 'X-Name': encodeURIComponent(name) };
  return (await request('/v1/inputs', { method: 'POST', body: content, headers, signal })).json();
}

/**
 * Puts a question, tells how far it is, and waits for the answer. Where the signal is given, aborting it cancels the work.
 *
 * @param {string} kind
 * @param {object} question
 * @param {(progress: Progress) => void} [tell]
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ id: string, doc: any }>}
 */
export async function ask(kind, question, tell, signal) {
  const body = JSON.stringify(question);
  const { task } = await (await request(`/v1/${kind}`, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })).json();
  const cancel = () => void request(`/v1/tasks/${task}`, { method: 'DELETE' }).catch(() => {});
  signal?.addEventListener('abort', cancel);
  try {
    if (signal?.aborted) cancel();
    const last = await follow(task, tell, signal);
    if (last?.state === 'done' && last.result) return { id: last.result, doc: await getJson(`/v1/results/${last.result}`) };
    throw new Failure(last?.error?.message ?? (last?.state === 'cancelled' ? 'Cancelled.' : 'The server stopped before the answer was there.'));
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** Reads the events of a task to its end. @param {string} task @param {((progress: Progress) => void) | undefined} tell @param {AbortSignal | undefined} signal */
async function follow(task, tell, signal) {
  const answer = await request(`/v1/tasks/${task}/events`, { signal });
  const reader = /** @type {ReadableStream<any>} */ (answer.body).pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let [text, last] = ['', /** @type {TaskState | null} */ (null)];
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (signal?.aborted) throw error;
      throw new Failure(GONE);
    });
    if (done) return last;
    text += value;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events.filter((one) => one.startsWith('data: '))) {
      last = /** @type {TaskState} */ (JSON.parse(event.slice(6)));
      if (last.progress) tell?.(last.progress);
    }
  }
}
