// Replays dead letters: one, the chosen ones, or all of a group, slice by slice, and shows how far it is.
import { change } from './sign_in.js';

const PATH = '/api/v1/dead/replay';
const SLICE = 500;
let stopping = null;

function show(text, share) {
  const panel = document.getElementById('replaying');
  panel.hidden = false;
  document.getElementById('replay-words').textContent = text;
  const bar = document.getElementById('replay-progress');
  if (share === null) bar.removeAttribute('value');
  else bar.value = share;
}

function setBusy(isBusy) {
  for (const button of document.querySelectorAll('#groups button, #letters button')) button.disabled = isBusy;
  document.getElementById('replay-stop').hidden = !isBusy;
  if (!isBusy) mayChoose();
}

// Runs slices until the last; `next` returns the body of the next request, or null at the end.
async function run(count, next) {
  stopping = new AbortController();
  setBusy(true);
  let changed = 0;
  try {
    show(`0 of ${count.toLocaleString()} letters are tried again`, 0);
    for (let body = next(null); body !== null; ) {
      const done = await change(PATH, body, stopping.signal);
      changed += done.changed;
      show(`${changed.toLocaleString()} of ${count.toLocaleString()} letters are tried again`, count ? Math.min(1, changed / count) : 1);
      body = next(done);
    }
    show(`Done: ${changed.toLocaleString()} ${changed === 1 ? 'letter is' : 'letters are'} tried again.`, 1);
    return true;
  } catch (error) {
    const why = error.name === 'AbortError' ? 'Stopped' : `Refused: ${error.message}`;
    show(`${why}. ${changed.toLocaleString()} of ${count.toLocaleString()} letters are tried again.`, count ? changed / count : 0);
    return false;
  } finally {
    setBusy(false);
  }
}

function replayIds(ids) {
  let at = 0;
  return run(ids.length, () => {
    if (at >= ids.length) return null;
    const slice = ids.slice(at, at + SLICE);
    at += SLICE;
    return { ids: slice };
  });
}

function replayGroup({ destination, reason, status, count }) {
  const until_ms = Date.now();
  return run(count, (done) => {
    if (done !== null && (done.is_last || done.changed === 0)) return null;
    return { destination, reason, status, until_ms };
  });
}

function chosen() {
  return [...document.querySelectorAll('input[name="letter"]:checked')].map((box) => box.value);
}

function mayChoose() {
  const button = document.getElementById('replay-chosen');
  if (!button) return;
  const { length } = chosen();
  button.disabled = length === 0;
  button.textContent = length ? `Replay the ${length} chosen` : 'Replay the chosen';
}

function markAsGone(ids) {
  for (const box of document.querySelectorAll('input[name="letter"]')) {
    if (ids.includes(box.value)) box.closest('tr').remove();
  }
  mayChoose();
}

export function setUpDead() {
  document.getElementById('replay-stop').addEventListener('click', () => stopping?.abort());
  document.getElementById('all-letters')?.addEventListener('change', (event) => {
    for (const box of document.querySelectorAll('input[name="letter"]')) box.checked = event.target.checked;
    mayChoose();
  });
  document.addEventListener('change', (event) => {
    if (event.target.name === 'letter') mayChoose();
  });
  document.getElementById('replay-chosen')?.addEventListener('click', async () => {
    const ids = chosen();
    if (await replayIds(ids)) markAsGone(ids);
  });
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-act]');
    if (button?.dataset.act === 'replay-one' && (await replayIds([button.dataset.id]))) markAsGone([button.dataset.id]);
    if (button?.dataset.act === 'replay-group') {
      const group = JSON.parse(button.dataset.group);
      if (await replayGroup(group)) button.closest('tr').remove();
    }
  });
}
