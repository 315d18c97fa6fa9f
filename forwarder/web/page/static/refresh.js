// Renews the parts of a view that are marked with data-live: the same view is fetched, and parts that differ are exchanged.
import { localise } from './times.js';

const EVERY_MS = 2000;
const TIMEOUT_MS = 15000;

function lost(text) {
  const bar = document.getElementById('lost');
  if (bar.textContent !== text) bar.textContent = text;
  bar.hidden = !text;
}

function exchange(fresh) {
  for (const part of document.querySelectorAll('[data-live]')) {
    const other = fresh.getElementById(part.id);
    if (!other) continue;
    localise(other);
    if (part.isEqualNode(other)) continue;
    const focused = part.contains(document.activeElement) ? describe(document.activeElement) : null;
    const scrolls = [...part.querySelectorAll('.scroll')].map((each) => each.scrollLeft);
    part.replaceWith(document.adoptNode(other));
    other.querySelectorAll('.scroll').forEach((each, index) => {
      each.scrollLeft = scrolls[index] ?? 0;
    });
    if (focused) {
      const found = [...other.querySelectorAll(focused.selector)];
      (found[focused.index] ?? found.at(-1))?.focus({ preventScroll: true });
    }
  }
}

// Where the focus is, so that the same place in the renewed part gets it back.
function describe(element) {
  const { act, destination, stream } = element.dataset;
  if (act) {
    const selector = destination ? `[data-destination="${CSS.escape(destination)}"]` : `[data-stream="${CSS.escape(stream)}"]`;
    const all = [...element.closest('[data-live]').querySelectorAll(selector)];
    return { selector, index: all.indexOf(element) };
  }
  const selector = element.tagName.toLowerCase();
  const all = [...element.closest('[data-live]').querySelectorAll(selector)];
  return { selector, index: all.indexOf(element) };
}

export async function refresh() {
  try {
    const response = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status === 401) location.reload(); // the session has ended
    if (!response.ok) throw new Error(`status ${response.status}`);
    exchange(new DOMParser().parseFromString(await response.text(), 'text/html'));
    lost('');
  } catch {
    lost('The daemon does not answer. What is shown is old.');
  }
}

export function setUpRefresh() {
  if (document.querySelectorAll('main [data-live]').length === 0) return;
  let timer = 0;
  const turn = async () => {
    await refresh();
    if (!document.hidden) timer = setTimeout(turn, EVERY_MS);
  };
  timer = setTimeout(turn, EVERY_MS);
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (!document.hidden) turn();
  });
}
