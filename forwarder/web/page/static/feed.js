// What happens in the daemon, as it happens: one connection for a view, closed while the tab is not seen.

const PATH = '/api/v1/live';
const AGAIN_MS = 5000; // after a refusal, which ends an EventSource
const listeners = new Set();
const watchers = new Set();
let source = null;
let timer = 0;

function state(text) {
  for (const watcher of watchers) watcher(text);
}

function take(message) {
  let item;
  try {
    item = JSON.parse(message.data);
  } catch {
    return;
  }
  for (const listener of listeners) listener(message.type, item);
}

function open() {
  clearTimeout(timer);
  if (source !== null || document.hidden) return;
  source = new EventSource(PATH);
  source.addEventListener('open', () => state('Live.'));
  source.addEventListener('error', () => {
    state('The live connection is lost; it is tried again.');
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    source = null;
    timer = setTimeout(open, AGAIN_MS);
  });
  for (const name of ['event', 'attempt', 'lost']) source.addEventListener(name, take);
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

export function listen(listener, watcher) {
  if (listeners.size === 0) {
    document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
    addEventListener('pagehide', close);
    addEventListener('pageshow', open);
  }
  listeners.add(listener);
  if (watcher) watchers.add(watcher);
  open();
}
