// The buttons of a view: pause, resume, resend. Each says what it did, or what was refused.
import { refresh } from './refresh.js';
import { change } from './sign_in.js';

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

async function resend({ event, seq, destination }) {
  const done = await change(`/events/${event}/resend`, { seq: Number(seq), destinations: [destination] });
  return done.changed ? `It is sent to ${destination} again.` : `It is left alone: it waits for ${destination} already, or is in flight.`;
}

async function reconnect({ stream }) {
  await change(`/streams/${encodeURIComponent(stream)}/reconnect`, {});
  return `${stream} opens a new connection, and closes the old one once that is open.`;
}

const ACTIONS = { pause, resume, resend, reconnect };

export function setUpActions() {
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-act]');
    const action = button && ACTIONS[button.dataset.act];
    if (!action) return;
    const { ...asked } = button.dataset;
    button.disabled = true;
    try {
      const text = await action(asked);
      if (text !== null) {
        say(text, 'ok');
        if (asked.act !== 'resend') await refresh();
      }
    } catch (error) {
      say(`Refused: ${error.message}`, 'bad');
    } finally {
      button.disabled = false;
    }
  });
}
