// Calls the JSON API. A refusal is raised with the words of the daemon.

const KEY = 'forwarder-token';

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

export async function call(path, body, signal) {
  const headers = { 'X-Forwarder': '1', Accept: 'application/json' };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      redirect: 'error',
      signal,
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, 'the daemon does not answer');
  }
  const text = await response.text();
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    found = null;
  }
  if (!response.ok) throw new Refused(response.status, refusalOf(found, text, response.status));
  return found;
}

function refusalOf(found, text, status) {
  const said = found && (found.error?.message ?? found.error ?? found.detail ?? found.message);
  return typeof said === 'string' ? said : text.trim().slice(0, 500) || `refused with status ${status}`;
}
