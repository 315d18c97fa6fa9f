// The view to sign in, where also reading needs the token. Then the view that was asked for is opened.
import { begin } from './api.js';

function wanted() {
  const next = new URL(new URLSearchParams(location.search).get('next') ?? '/', location.origin);
  return next.origin === location.origin ? next.pathname + next.search : '/';
}

export function setUpLogin() {
  const form = document.getElementById('login');
  const said = document.getElementById('login-said');
  form.elements.token.focus();
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await begin(form.elements.token.value.trim());
      location.replace(wanted());
    } catch (error) {
      said.textContent = `Refused: ${error.message}`;
      said.hidden = false;
    }
  });
}
