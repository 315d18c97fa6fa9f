// The token for changes. It stays in this tab, and goes nowhere but into the header of requests to the daemon.
import { Refused, call, token } from './api.js';

const CHECK = '/api/v1/session';
let settle = null;

function show() {
  const button = document.getElementById('sign-in');
  if (button) button.textContent = token.get() ? 'Sign out' : 'Sign in';
}

function say(text) {
  const said = document.getElementById('sign-in-said');
  said.textContent = text;
  said.hidden = !text;
}

// Asks for the token; resolves to whether there is one now.
export function signIn(why = '') {
  const dialog = document.getElementById('sign-in-dialog');
  say(why);
  document.getElementById('token').value = '';
  dialog.showModal();
  return new Promise((resolve) => {
    settle = resolve;
  });
}

function end(isSignedIn) {
  show();
  settle?.(isSignedIn);
  settle = null;
}

export function setUpSignIn() {
  show();
  const dialog = document.getElementById('sign-in-dialog');
  document.getElementById('sign-in').addEventListener('click', () => {
    if (token.get()) {
      token.clear();
      show();
    } else {
      signIn();
    }
  });
  for (const other of document.querySelectorAll('dialog')) {
    other.querySelector('[data-close]')?.addEventListener('click', () => other.close('cancel'));
  }
  dialog.addEventListener('close', () => end(Boolean(token.get())));
  dialog.querySelector('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const value = document.getElementById('token').value.trim();
    if (!value) {
      say('Enter the token.');
      return;
    }
    token.set(value);
    try {
      await call(CHECK, {});
      dialog.close('ok');
    } catch (error) {
      token.clear();
      say(error instanceof Refused ? `Not accepted: ${error.message}` : `${error}`);
    }
  });
}

// Calls the API for a change; asks for the token where one is needed.
export async function change(path, body, signal) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call(path, body, signal);
    } catch (error) {
      const isMissing = error instanceof Refused && error.status === 401;
      if (!isMissing || tries === 2) throw error;
      const had = Boolean(token.get());
      token.clear();
      if (!(await signIn(had ? `Not accepted: ${error.message}` : ''))) throw new Refused(401, 'not signed in');
    }
  }
}
