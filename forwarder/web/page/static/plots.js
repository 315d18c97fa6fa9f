// Throughput and latency of the last two minutes, drawn as SVG from what the live connection brings. Nothing is kept that is older.
import { listen } from './feed.js';
import { milliseconds } from './times.js';

const SECONDS = 120;
const MOST_SAMPLES = 400; // of one second; of more, some are taken by chance
const WIDTH = 600;
const HEIGHT = 150;
const SVG = 'http://www.w3.org/2000/svg';

class Buckets {
  constructor() {
    this.seconds = new Map();
  }

  at(second) {
    let bucket = this.seconds.get(second);
    if (!bucket) {
      bucket = { events: 0, delivered: 0, failed: 0, latencies: [], measured: 0 };
      this.seconds.set(second, bucket);
      for (const old of this.seconds.keys()) if (old < second - SECONDS - 2) this.seconds.delete(old);
    }
    return bucket;
  }

  add(kind, item) {
    const bucket = this.at(Math.floor(Date.now() / 1000));
    if (kind === 'event') {
      bucket.events += 1;
    } else if (kind === 'attempt') {
      if (item.outcome === 'delivered') {
        bucket.delivered += 1;
        this.measure(bucket, item.since_received_ms);
      } else {
        bucket.failed += 1;
      }
    }
  }

  measure(bucket, value) {
    bucket.measured += 1;
    if (bucket.latencies.length < MOST_SAMPLES) {
      bucket.latencies.push(value);
    } else {
      const place = Math.floor(Math.random() * bucket.measured);
      if (place < MOST_SAMPLES) bucket.latencies[place] = value;
    }
  }
}

function quantile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function niceTop(value) {
  if (value <= 5) return 5;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function element(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Points that are null leave a hole in the curve.
function pathOf(points) {
  let path = '';
  let isDown = false;
  points.forEach((y, index) => {
    if (y === null) {
      isDown = false;
      return;
    }
    path += `${isDown ? 'L' : 'M'}${((index * WIDTH) / (SECONDS - 1)).toFixed(1)} ${y.toFixed(1)}`;
    isDown = true;
  });
  return path;
}

class Plot {
  constructor(id, label, curves, scale) {
    this.curves = curves;
    this.scale = scale;
    this.legend = document.getElementById(`${id}-legend`);
    this.legendValues = curves.map(({ kind, name }) => {
      const entry = document.createElement('span');
      entry.className = kind;
      const value = document.createElement('b');
      entry.append(`${name} `, value);
      this.legend.append(entry);
      return value;
    });
    this.paths = curves.map(({ kind }) => element('path', { class: `curve ${kind}` }));
    const grid = [0, 0.5, 1].map((share) => element('line', { class: 'grid', x1: 0, x2: WIDTH, y1: share * HEIGHT, y2: share * HEIGHT }));
    this.drawing = element('svg', { class: 'plot', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, ...grid, ...this.paths);
    this.marks = ['', '', ''].map(() => document.createElement('span'));
    const frame = document.createElement('div');
    frame.className = 'frame';
    const scaleColumn = document.createElement('div');
    scaleColumn.className = 'scale';
    scaleColumn.setAttribute('aria-hidden', 'true');
    scaleColumn.append(...this.marks);
    frame.append(scaleColumn, this.drawing);
    const axis = document.createElement('div');
    axis.className = 'axis';
    axis.append(...['2 min ago', '1 min ago', 'now'].map((text) => {
      const mark = document.createElement('span');
      mark.textContent = text;
      return mark;
    }));
    document.getElementById(id).append(frame, axis);
  }

  draw(series, shown) {
    const scale = this.scale(series.flat().filter((value) => value !== null));
    this.paths.forEach((path, index) => {
      path.setAttribute('d', pathOf(series[index].map((value) => (value === null ? null : HEIGHT * (1 - scale.at(value))))));
    });
    scale.marks.forEach((text, index) => {
      this.marks[index].textContent = text;
    });
    shown.forEach((text, index) => {
      this.legendValues[index].textContent = text;
    });
  }
}

function linear(values) {
  const top = niceTop(Math.max(0, ...values));
  return { at: (value) => value / top, marks: [`${top}/s`, `${top / 2}`, '0'] };
}

function logarithmic(values) {
  const low = Math.floor(Math.log10(Math.max(0.1, Math.min(1, ...values))));
  const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(10, ...values))));
  const middle = 10 ** ((low + high) / 2);
  return {
    at: (value) => Math.min(1, Math.max(0, (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low))),
    marks: [milliseconds(10 ** high), milliseconds(middle), milliseconds(10 ** low)],
  };
}

export function setUpPlots() {
  const buckets = new Buckets();
  const throughput = new Plot('throughput', 'Events and deliveries in each of the last 120 seconds', [
    { kind: 'first', name: 'events' },
    { kind: 'second', name: 'delivered' },
    { kind: 'third', name: 'failed' },
  ], linear);
  const latency = new Plot('latency', 'Time from receiving an event to its delivery in each of the last 120 seconds', [
    { kind: 'first', name: 'p50' },
    { kind: 'third', name: 'p99' },
  ], logarithmic);
  const began = Math.floor(Date.now() / 1000);

  const draw = () => {
    if (document.hidden) return;
    const last = Math.floor(Date.now() / 1000) - 1; // the present second is not over
    const seconds = Array.from({ length: SECONDS }, (_, index) => last - SECONDS + 1 + index);
    const of = (read) => seconds.map((second) => {
      const bucket = buckets.seconds.get(second);
      return second < began ? null : read(bucket);
    });
    const counts = ['events', 'delivered', 'failed'].map((name) => of((bucket) => bucket?.[name] ?? 0));
    const rates = counts.map((values) => mean(values.slice(-10)));
    throughput.draw(counts, rates.map((rate) => `${rate.toFixed(rate < 10 ? 1 : 0)}/s`));
    const quantiles = [0.5, 0.99].map((share) => of((bucket) => (bucket ? quantile(bucket.latencies, share) : null)));
    const newest = quantiles.map((values) => values.findLast((value) => value !== null));
    latency.draw(quantiles, newest.map((value) => milliseconds(value)));
  };
  listen((kind, item) => buckets.add(kind, item));
  setInterval(draw, 1000);
  draw();
}

function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : 0;
}
