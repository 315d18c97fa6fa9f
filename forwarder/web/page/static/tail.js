// The list of what passes. It holds at most MOST_ROWS rows; what comes faster than a screen is drawn is left out, and counted.
import { listen } from './feed.js';
import { clock, milliseconds } from './times.js';
import { visible } from './visible.js';

export const MOST_ROWS = 200;
const DRAW_EVERY_MS = 200;

let pending = [];
let leftOut = 0;
let lostBefore = 0;
let isHeld = false;

function cell(className, ...children) {
  const made = document.createElement('td');
  made.setAttribute('role', 'cell'); // on a phone, rows are cards
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== ''));
  return made;
}

function span(className, text, tag = 'span') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function post(item) {
  const text = span('event-text', visible(item.text).slice(0, 300) || '(no text)');
  text.dir = 'auto';
  return [item.author ? span('author', visible(item.author).slice(0, 80), 'bdi') : '', ' ', text];
}

const KINDS = { delivered: 'ok', retry: 'warn', postponed: 'warn', dead: 'bad', expired: 'bad', matched: 'ok', duplicate: 'idle', unmatched: 'idle' };

function rowOf(kind, item) {
  const row = document.createElement('tr');
  row.className = 'new';
  row.setAttribute('role', 'row');
  const link = document.createElement('a');
  link.href = `/events/${encodeURIComponent(item.event_id)}`;
  link.textContent = clock(new Date(item.at));
  const time = cell('nowrap title', link);
  if (kind === 'event') {
    const names = Object.keys(item.destinations ?? {});
    const routes = [...new Set(Object.values(item.destinations ?? {}).flat())];
    row.append(
      time,
      cell('last', span(`tag ${KINDS[item.result] ?? 'idle'}`, item.result)),
      cell('full', ...post(item)),
      cell('wide', visible(routes.join(', '))),
      cell('title below', visible(names.join(', ')) || '–'),
      cell('number wide', ''),
    );
  } else {
    const result = span(`tag ${KINDS[item.outcome] ?? 'idle'}`, `${item.outcome}${item.status ? ` ${item.status}` : ''}`);
    row.append(
      time,
      cell('last', span('note', `attempt ${item.attempt}`)),
      cell('full', ...post(item)),
      cell('wide', visible((item.routes ?? []).join(', '))),
      cell('title below', visible(item.destination), item.reason ? span('words', visible(item.reason).slice(0, 200), 'div') : ''),
      cell('number', result, document.createElement('br'), span('note small', milliseconds(item.since_received_ms))),
    );
  }
  return row;
}

function isWanted(kind, item) {
  const wanted = document.getElementById('tail-kind').value;
  if (wanted === 'failed' ? kind !== 'attempt' || item.outcome === 'delivered' : wanted && wanted !== kind) return false;
  const words = document.getElementById('tail-words').value.trim().toLowerCase();
  if (!words) return true;
  const sought = [item.author, item.text, item.destination, ...Object.keys(item.destinations ?? {}), ...(item.routes ?? [])].join(' ').toLowerCase();
  return words.split(/\s+/).every((word) => sought.includes(word));
}

function drawLeftOut() {
  const count = leftOut + lostBefore;
  const shown = document.getElementById('tail-left-out');
  shown.textContent = count ? `${count.toLocaleString()} that came too fast were left out` : '';
}

function draw() {
  drawLeftOut();
  if (isHeld || pending.length === 0) return;
  const body = document.getElementById('tail');
  document.getElementById('tail-empty')?.remove();
  const rows = pending.map(([kind, item]) => rowOf(kind, item)).reverse();
  pending = [];
  body.prepend(...rows);
  while (body.childElementCount > MOST_ROWS) body.lastElementChild.remove();
}

export function setUpTail() {
  const state = document.getElementById('live-state');
  state.textContent = 'Connecting …';
  const hold = document.getElementById('tail-hold');
  hold.addEventListener('click', () => {
    isHeld = !isHeld;
    hold.setAttribute('aria-pressed', String(isHeld));
    hold.textContent = isHeld ? 'Go on' : 'Hold';
  });
  listen(
    (kind, item) => {
      if (kind === 'lost') {
        if (item.lost < lostBefore) leftOut += lostBefore; // those of a connection before
        lostBefore = item.lost;
      } else if (isWanted(kind, item)) {
        pending.push([kind, item]);
        if (pending.length > MOST_ROWS) {
          pending.shift();
          leftOut += 1;
        }
      }
    },
    (text) => {
      if (state.textContent !== text) state.textContent = text;
    },
  );
  setInterval(draw, DRAW_EVERY_MS);
}
