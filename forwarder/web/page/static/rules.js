// Tries rules on a pasted event, or on the history. Nothing is saved.
import { change } from './sign_in.js';
import { visible } from './visible.js';

const MOST_CHILDREN = 40;

function made(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== '' && child !== null && child !== undefined));
  return element;
}

function say(text, kind = '') {
  const said = document.getElementById('rules-said');
  said.textContent = text;
  said.className = `said ${kind}`;
  said.hidden = !text;
}

function show(...children) {
  document.getElementById('result-body').replaceChildren(...children);
  document.getElementById('result').hidden = children.length === 0;
}

function traceOf(trace) {
  const line = made('span', trace.holds ? 'yes' : 'no', made('span', 'aside', trace.holds ? 'holds: ' : 'does not hold: '), made('code', '', visible(trace.label)));
  if (trace.seen) line.append(' ', made('span', 'note', '— ', made('bdi', '', visible(trace.seen))));
  if (trace.hit && trace.hit !== trace.seen) line.append(' ', made('span', 'note', 'by ', made('bdi', '', visible(trace.hit))));
  const item = made('li', '', line);
  const children = trace.children ?? [];
  if (children.length) {
    const below = made('ul', '', ...children.slice(0, MOST_CHILDREN).map(traceOf));
    if (children.length > MOST_CHILDREN) below.append(made('li', '', made('span', 'neither', `${(children.length - MOST_CHILDREN).toLocaleString()} more like these`)));
    item.append(below);
  }
  return item;
}

function routeOf(route) {
  const tag = made('span', `tag ${route.outcome === 'matched' ? 'ok' : 'idle'}`, route.outcome);
  const name = made('strong', '', visible(route.name));
  if (!route.trace) return made('p', 'route', name, ' ', tag, route.stopped_by ? made('span', 'note', ` not reached: ${visible(route.stopped_by)} stops`) : '');
  const notes = route.notes?.length ? made('span', 'note small', ` ${visible(route.notes.join(', '))}`) : '';
  const details = made('details', 'route', made('summary', '', name, ' ', tag, ` → ${visible((route.to ?? []).join(', '))}`, notes), made('ul', 'tree', traceOf(route.trace)));
  details.open = true;
  return details;
}

function goesTo({ explanation, disabled }) {
  const chosen = Object.entries(explanation.chosen ?? {});
  const line = made('p', 'route');
  if (chosen.length === 0) {
    line.append(explanation.is_matched ? 'A route matches, but no destination gets it.' : 'No route matches: it goes nowhere.');
    return line;
  }
  line.append('It goes to ');
  chosen.forEach(([name, routes], index) => {
    const off = (disabled ?? []).includes(name) ? '; disabled' : '';
    line.append(index ? ', ' : '', made('strong', '', visible(name)), made('span', 'note', ` (by ${visible(routes.join(', '))}${off})`));
  });
  line.append('.');
  return line;
}

function problemsOf(problems) {
  return problems.map((problem) => made('pre', 'inner bad', visible(problem.text)));
}

function numbered(rows) {
  const names = ['Destination', 'Was sent', 'Would be', 'More', 'Less'];
  const head = made('tr', '', ...names.map((name, index) => {
    const cell = made('th', index ? 'number' : '', name);
    cell.scope = 'col';
    return cell;
  }));
  const body = rows.map((row) => {
    const first = made('th', '', visible(row[0]));
    first.scope = 'row';
    return made('tr', '', first, ...row.slice(1).map((value) => made('td', 'number', typeof value === 'number' ? value.toLocaleString() : String(value ?? '–'))));
  });
  const table = made('table', '', made('thead', '', head), made('tbody', '', ...body));
  const scroll = made('div', 'scroll', table);
  scroll.tabIndex = 0;
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-labelledby', 'result-title');
  return scroll;
}

function examplesOf(title, count, examples) {
  if (!examples?.length) return [];
  const lines = examples.map((each) => {
    const link = made('a', '', visible(each.text).slice(0, 200) || '(no text)');
    link.href = `/events/${encodeURIComponent(each.event_id)}`;
    return made('li', '', link, made('span', 'note', ` by ${visible(each.routes.join(', '))}`));
  });
  return [made('div', 'inner', made('h3', '', `${title}: ${count.toLocaleString()}${count > lines.length ? ', such as' : ''}`), made('ul', '', ...lines))];
}

function backtestOf(found) {
  if (!found.events) return [made('p', 'inner', 'The outbox has no events to compare.')];
  const named = Object.entries(found.destinations);
  const rows = named.map(([name, each]) => [name, each.then, each.now, `+${each.more.toLocaleString()}`, `−${each.less.toLocaleString()}`]);
  rows.push(['(nowhere)', found.nowhere.then, found.nowhere.now, '', '']);
  const said = `${found.events.toLocaleString()} events of the history were compared. ${found.changed ? '' : 'Nothing would be sent differently.'}`;
  const parts = [made('p', 'inner', said), numbered(rows)];
  for (const [name, each] of named) {
    parts.push(...examplesOf(`${visible(name)} would get`, each.more, each.would_get));
    parts.push(...examplesOf(`${visible(name)} would not get`, each.less, each.would_miss));
  }
  return parts;
}

function rules() {
  return document.getElementById('rules').value.trim() || null;
}

async function attempt(button, work) {
  const buttons = [document.getElementById('try'), document.getElementById('backtest')];
  for (const each of buttons) each.disabled = true;
  say(button === buttons[1] ? 'Comparing. This can take a while.' : '');
  try {
    const parts = await work();
    show(...parts);
    say('');
    document.getElementById('result').scrollIntoView({ block: 'nearest' });
  } catch (error) {
    show();
    say(error.message, 'bad');
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

export function setUpRules() {
  document.getElementById('try').addEventListener('click', (event) => attempt(event.target, async () => {
    const found = await change('/rules/try', { event: document.getElementById('event').value, rules: rules() });
    if (found.problems?.length) return problemsOf(found.problems);
    if (found.event_problem) return [made('p', 'inner bad', visible(found.event_problem))];
    return [...found.explanation.routes.map(routeOf), goesTo(found)];
  }));
  document.getElementById('backtest').addEventListener('click', (event) => attempt(event.target, async () => {
    const found = await change('/rules/backtest', { rules: rules(), most: Number(document.getElementById('most').value) });
    return found.problems?.length ? problemsOf(found.problems) : backtestOf(found.result);
  }));
}
