// Replays dead letters: one, the chosen ones, or all of a group, slice by slice, and shows how far it is.
import { change } from './sign_in.js';

const PATH = '/dead/replay';
const SLICE = 500; // the most that one request may name
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
      const done = await change(PATH, body, { signal: stopping.signal });
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

function rate() {
  return Number(document.getElementById('replay-rate').value);
}

function replayKeys(keys) {
  let at = 0;
  return run(keys.length, () => {
    if (at >= keys.length) return null;
    const slice = keys.slice(at, at + SLICE);
    at += SLICE;
    return { keys: slice, rate: rate() };
  });
}

function replayGroup({ destination, reason, status, count }) {
  const asked = { destination, reason, status, rate: rate() };
  return run(count, (done) => {
    if (done === null) return asked;
    return done.next === null ? null : { ...asked, continue_at: done.next };
  });
}

function chosen() {
  return [...document.querySelectorAll('input[name="letter"]:checked')].map(keyOf);
}

function keyOf(element) {
  return [Number(element.dataset.seq), element.dataset.destination];
}

function mayChoose() {
  const button = document.getElementById('replay-chosen');
  if (!button) return;
  const { length } = chosen();
  button.disabled = length === 0;
  button.textContent = length ? `Replay the ${length} chosen` : 'Replay the chosen';
}

function removeRows(keys) {
  const gone = new Set(keys.map(String));
  for (const box of document.querySelectorAll('input[name="letter"]')) {
    if (gone.has(String(keyOf(box)))) box.closest('tr').remove();
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
    const keys = chosen();
    if (await replayKeys(keys)) removeRows(keys);
  });
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-act]');
    if (button?.dataset.act === 'replay-one' && (await replayKeys([keyOf(button)]))) removeRows([keyOf(button)]);
    if (button?.dataset.act === 'replay-group') {
      const group = JSON.parse(button.dataset.group);
      if (await replayGroup(group)) button.closest('tr').remove();
    }
  });
}
