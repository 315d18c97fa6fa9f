// Calls the JSON API. A refusal is raised with the words of the daemon. Whoever is signed in has a cookie that no script can read.

// A header can hold what is printable ASCII; a token has nothing else.
const TOKEN = /^[\x21-\x7e]{1,500}$/;

// Begins a session: the daemon answers with a cookie.
export async function begin(token) {
  if (!TOKEN.test(token)) throw new Refused(400, token ? 'this cannot be a token' : 'enter the token');
  return call('/session', {}, { token });
}

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export async function call(path, body, { signal, token } = {}) {
  const headers = { 'X-Forwarder': '1', Accept: 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  let text;
  try {
    response = await fetch(`/api/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      signal,
    });
    text = await response.text();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, 'the daemon does not answer');
  }
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    // not JSON: what it says is shown as it is
  }
  if (response.ok) return found;
  throw new Refused(response.status, found?.error ?? (text.trim().slice(0, 500) || `refused with status ${response.status}`));
}
