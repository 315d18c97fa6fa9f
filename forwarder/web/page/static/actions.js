// The buttons of a view: pause, resume, send a canary, resend, reconnect. Each says what it did, or what was refused.
import { call } from './api.js';
import { refresh } from './refresh.js';
import { change } from './sign_in.js';
import { milliseconds } from './times.js';
import { visible } from './visible.js';

const CANARY_MS = 15000;
const CANARY_LOOK_MS = 300;
const SHOWN_MS = 10000; // of what went well; a refusal stays until the next action
let timer = 0;

function say(text, kind) {
  const said = document.getElementById('acted');
  said.textContent = text;
  said.className = `toast said ${kind}`;
  clearTimeout(timer);
  if (kind === 'ok') timer = setTimeout(() => said.replaceChildren(), SHOWN_MS);
}

function askPause(name) {
  const dialog = document.getElementById('pause-dialog');
  document.getElementById('pause-name').textContent = name;
  document.getElementById('pause-why').value = '';
  document.getElementById('pause-minutes').value = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        const minutes = document.getElementById('pause-minutes').value;
        const why = document.getElementById('pause-why').value;
        resolve(dialog.returnValue === 'ok' ? { why, minutes: minutes ? Number(minutes) : null } : null);
      },
      { once: true },
    );
  });
}

async function pause({ destination }) {
  const asked = await askPause(destination);
  if (asked === null) return null;
  const body = { why: asked.why, for_s: asked.minutes ? asked.minutes * 60 : null };
  const done = await change(`/destinations/${encodeURIComponent(destination)}/pause`, body);
  return done.changed ? `${destination} is paused.` : `${destination} was paused already.`;
}

async function resume({ destination }) {
  const done = await change(`/destinations/${encodeURIComponent(destination)}/resume`, {});
  return done.changed ? `${destination} gets its deliveries again.` : `${destination} was not paused.`;
}

const bad = (text) => ({ text, kind: 'bad' });

async function canaryOf(destination) {
  const { destinations } = await call('/destinations');
  const found = destinations[destination];
  return { ...found?.canary, error: found?.last_failure };
}

// Sends a canary and waits for its result: its arrival, or what the receiver says to its first attempt.
async function canary({ destination, none }) {
  if (none) {
    const how = `canary: {every: 10m} under destinations: ${destination} sends one regularly, and then also one at once`;
    return bad(`${destination} has no canary in the config; ${how}. forwarder send ${destination} sends one test event now.`);
  }
  const before = await canaryOf(destination);
  const finished = before.in_flight ? before.sent - 1 : before.sent; // one that is in flight counts as the one asked for
  await change(`/destinations/${encodeURIComponent(destination)}/canary`, {});
  say(`A canary is on its way to ${destination}.`, '');
  for (const end = Date.now() + CANARY_MS; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, CANARY_LOOK_MS))) {
    const now = await canaryOf(destination);
    if (now.sent <= finished) continue;
    if (!now.in_flight && !now.reason) return `The canary arrived at ${destination} in ${milliseconds(now.last_ms)}.`;
    if (now.reason) return bad(`The canary did not arrive at ${destination}${now.in_flight ? ' yet, and is tried again' : ''}: ${visible(now.reason)}`);
  }
  const { error } = await canaryOf(destination);
  return bad(`The canary has not arrived at ${destination} yet. ${error ? `The last error is: ${visible(error)}` : 'No attempt has finished.'}`);
}

async function resend({ event, seq, destination }) {
  const done = await change(`/events/${event}/resend`, { seq: Number(seq), destinations: [destination] });
  return done.changed ? `It is sent to ${destination} again.` : `It is left alone: it waits for ${destination} already, or is in flight.`;
}

async function reconnect({ stream }) {
  await change(`/streams/${encodeURIComponent(stream)}/reconnect`, {});
  return `${stream} opens a new connection, and closes the old one once that is open.`;
}

const ACTIONS = { pause, resume, canary, resend, reconnect };

export function setUpActions() {
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-act]');
    const action = button && ACTIONS[button.dataset.act];
    if (!action) return;
    const { ...asked } = button.dataset;
    button.disabled = true;
    try {
      const done = await action(asked);
      if (done !== null) {
        say(done.text ?? done, done.kind ?? 'ok');
        if (asked.act !== 'resend') await refresh();
      }
    } catch (error) {
      say(`Refused: ${error.message}`, 'bad');
    } finally {
      button.disabled = false;
    }
  });
}
