// What happens in the daemon, as it happens: one connection for a view, closed while the tab is not seen.

const PATH = '/api/v1/live';
const listeners = new Set();
const watchers = new Set();
let source = null;

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
  const kind = item.event ?? message.type;
  for (const listener of listeners) listener(kind, item);
}

function open() {
  if (source !== null || document.hidden) return;
  source = new EventSource(PATH);
  source.addEventListener('open', () => state('Live.'));
  source.addEventListener('error', () => state('The live connection is lost; it is tried again.'));
  for (const name of ['message', 'event', 'attempt', 'lost']) source.addEventListener(name, take);
}

function close() {
  source?.close();
  source = null;
}

export function listen(listener, watcher) {
  if (listeners.size === 0) {
    document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
    addEventListener('pagehide', close);
  }
  listeners.add(listener);
  if (watcher) watchers.add(watcher);
  open();
}
