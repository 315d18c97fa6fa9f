// Signing in with the token of the config. The daemon answers with a cookie; the page keeps nothing.
import { begin, call } from './api.js';

let mayChange = false;
let whyNot = '';
let settle = null;

const dialog = () => document.getElementById('sign-in-dialog');

function show() {
  const button = document.getElementById('sign-in');
  if (button) button.textContent = mayChange ? 'Sign out' : 'Sign in';
}

function say(text) {
  const said = document.getElementById('sign-in-said');
  said.textContent = text;
  said.hidden = !text;
}

function note(session) {
  mayChange = session.may_change;
  whyNot = session.why_not ?? '';
  show();
}

// Asks for the token; resolves to whether changes are allowed now.
export function signIn(why = '') {
  say(why);
  document.getElementById('token').value = '';
  dialog().showModal();
  return new Promise((resolve) => {
    settle = resolve;
  });
}

async function toggle() {
  const wasSignedIn = mayChange;
  try {
    note(mayChange ? await call('/logout', {}) : await call('/session'));
  } catch (error) {
    whyNot = error.message;
  }
  if (wasSignedIn) location.reload(); // it may need the token to be read
  else if (!mayChange) await signIn(whyNot.includes('token_file') ? whyNot : '');
}

async function submit(event) {
  event.preventDefault();
  try {
    note(await begin(document.getElementById('token').value.trim()));
    dialog().close('ok');
  } catch (error) {
    say(`Refused: ${error.message}`);
  }
}

export function setUpSignIn() {
  for (const each of document.querySelectorAll('dialog')) {
    each.querySelector('[data-close]')?.addEventListener('click', () => each.close('cancel'));
  }
  document.getElementById('sign-in').addEventListener('click', toggle);
  dialog().querySelector('form').addEventListener('submit', submit);
  dialog().addEventListener('close', () => {
    settle?.(mayChange);
    settle = null;
  });
  call('/session').then(note, () => {}); // the view can be read without
}

// Calls the API for a change; asks for the token where one is needed.
export async function change(path, body, options) {
  try {
    return await call(path, body, options);
  } catch (error) {
    if (error.status !== 401) throw error;
    mayChange = false;
    show();
    if (!(await signIn())) throw new Error('not signed in');
    return call(path, body, options);
  }
}
