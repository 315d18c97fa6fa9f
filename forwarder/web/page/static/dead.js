// Replays and drops dead letters: one, the chosen ones, or all of a group, slice by slice, and shows how far it is.
import { change } from './sign_in.js';

const REPLAY = { path: '/dead/replay', title: 'Replay', done: 'tried again' };
const DROP = { path: '/dead/drop', title: 'Drop', done: 'dropped' };
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
async function run(way, count, next) {
  const { path, done: words } = way;
  document.getElementById('replaying-title').textContent = way.title;
  stopping = new AbortController();
  setBusy(true);
  let changed = 0;
  try {
    show(`0 of ${count.toLocaleString()} letters are ${words}`, 0);
    for (let body = next(null); body !== null; ) {
      const done = await change(path, body, { signal: stopping.signal });
      changed += done.changed;
      show(`${changed.toLocaleString()} of ${count.toLocaleString()} letters are ${words}`, count ? Math.min(1, changed / count) : 1);
      body = next(done);
    }
    show(`Done: ${changed.toLocaleString()} ${changed === 1 ? 'letter is' : 'letters are'} ${words}.`, 1);
    return true;
  } catch (error) {
    const why = error.name === 'AbortError' ? 'Stopped' : `Refused: ${error.message}`;
    show(`${why}. ${changed.toLocaleString()} of ${count.toLocaleString()} letters are ${words}.`, count ? changed / count : 0);
    return false;
  } finally {
    setBusy(false);
  }
}

function rate() {
  return Number(document.getElementById('replay-rate').value);
}

function changeKeys(way, keys) {
  let at = 0;
  return run(way, keys.length, () => {
    if (at >= keys.length) return null;
    const slice = keys.slice(at, at + SLICE);
    at += SLICE;
    return { keys: slice, rate: rate() };
  });
}

// Of a group that is dropped, only what had died when the page was made: nobody was asked about the rest.
function changeGroup(way, { destination, reason, status, count, last_at: lastAt }) {
  const asked = { destination, reason, status, rate: rate(), until_ms: way === DROP ? Date.parse(lastAt) + 1 : null };
  return run(way, count, (done) => {
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
  const { length } = chosen();
  for (const { title } of [REPLAY, DROP]) {
    const button = document.getElementById(`${title.toLowerCase()}-chosen`);
    if (!button) continue;
    button.disabled = length === 0;
    button.textContent = length ? `${title} the ${length} chosen` : `${title} the chosen`;
  }
}

// Asks whether so many letters are to be dropped.
function mayDrop(count, of = '') {
  const dialog = document.getElementById('drop-dialog');
  document.getElementById('drop-what').textContent = `${count.toLocaleString()} ${count === 1 ? 'letter' : 'letters'}${of}`;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'ok'), { once: true });
  });
}

async function act(way, keys) {
  if (way === DROP && !(await mayDrop(keys.length))) return;
  if (await changeKeys(way, keys)) removeRows(keys);
}

async function actOnGroup(way, button) {
  const group = JSON.parse(button.dataset.group);
  if (way === DROP && !(await mayDrop(group.count, ` to ${group.destination}`))) return;
  if (!(await changeGroup(way, group))) return;
  button.closest('tr').remove();
  const { destination, reason, status } = group;
  const boxes = [...document.querySelectorAll('input[name="letter"]')];
  removeRows(boxes.filter(({ dataset }) => dataset.destination === destination && dataset.reason === reason && dataset.status === status).map(keyOf));
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
  document.getElementById('replay-chosen')?.addEventListener('click', () => act(REPLAY, chosen()));
  document.getElementById('drop-chosen')?.addEventListener('click', () => act(DROP, chosen()));
  document.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-act]');
    const [verb, what] = (button?.dataset.act ?? '').split('-');
    const way = { replay: REPLAY, drop: DROP }[verb];
    if (!way) return;
    if (what === 'one') act(way, [keyOf(button)]);
    else actOnGroup(way, button);
  });
}
