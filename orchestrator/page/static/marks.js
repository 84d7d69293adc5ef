// How marks and axes look: one colour and shape a model, one size a data size, and ticks at round numbers.

const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"];
const PATHS = {
  circle: "M8 3a5 5 0 1 0 .01 0z", square: "M3.5 3.5h9v9h-9z", "triangle-up": "M8 2.5l5.5 10h-11z", diamond: "M8 1.5l4.5 6.5-4.5 6.5-4.5-6.5z",
  cross: "M6 2h4v4h4v4h-4v4h-4v-4h-4v-4h4z", "triangle-down": "M8 13.5l5.5-10h-11z", "triangle-right": "M13.5 8l-10 5.5v-11z",
  "triangle-left": "M2.5 8l10 5.5v-11z",
};
const MANY = 1000; // points from which on a canvas is drawn in place of SVG
const DASHES = [[], [6, 2], [6, 2, 1, 2], [3, 2], [1, 2]];

const COLOURS = new Map(); // of models on a canvas, as they are until light turns to dark

function modelPlace(model) {
  return Math.max(0, PAGE.models.indexOf(model));
}

// A colour as CSS knows it; a canvas needs its value of now.
function colourOf(model) {
  const name = `--model-${modelPlace(model)}`;
  if (!isMany()) return `var(${name})`;
  if (!COLOURS.has(name)) COLOURS.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return COLOURS.get(name);
}

function ink() {
  return isMany() ? getComputedStyle(document.body).color : "currentColor";
}

function paper() {
  return isMany() ? getComputedStyle(document.body).backgroundColor : "var(--paper)";
}

function isMany() {
  return RUNS.length > MANY;
}

function shapeOf(model) {
  return SHAPES[modelPlace(model) % SHAPES.length];
}

function areaOf(row) {
  const place = SIZES.indexOf(row.data_size);
  if (place < 0 || SIZES.length < 2) return 60;
  return 25 + (115 * place) / (SIZES.length - 1);
}

function dashOf(row) {
  const place = SIZES.indexOf(row.data_size);
  return DASHES[place < 0 ? 0 : Math.min(SIZES.length - 1 - place, DASHES.length - 1)];
}

function symbol(model) {
  return drawing("0 0 16 16", PATHS[shapeOf(model)], {fill: `var(--model-${modelPlace(model)})`});
}

// A short line with the dashes of a data size, as training curves have them.
function dashed(size) {
  return drawing("0 0 30 16", "M1 8h28", {stroke: "currentColor", strokeWidth: "1.6", strokeDasharray: dashOf({data_size: size}).join(" ")});
}

function drawing(box, line, style) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("viewBox", box);
  made.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", line);
  Object.assign(path.style, style);
  made.append(path);
  return made;
}

function modelsOf(rows) {
  const shown = new Set(rows.map((row) => row.model));
  return PAGE.models.filter((model) => shown.has(model)).map((model) => element("li", {}, symbol(model), model ?? "not known"));
}

function sizesText(known) {
  if (known.length <= 6) return known.map((size) => countOf(size)).join(", ");
  return `from ${countOf(known[0])} to ${countOf(known.at(-1))}`;
}

function drawLegend(law) {
  const notes = [];
  if (SIZES.length > 1) notes.push(`Larger marks: more distinct training images (${sizesText(SIZES)}).`);
  notes.push(law?.seeds > 1 ? "Rings: the frontier, of means of seeds: all runs of each." : "Rings: the frontier.");
  if (law?.curve) notes.push("Line: the law, dashed beyond the frontier; band: its 90 % interval.");
  if (heldOutRuns().size) notes.push("Stars: runs that are held out.");
  fill("legend", element("ul", {class: "legend"}, ...modelsOf(shownRuns())), element("p", {}, notes.join(" ")));
}

// Round numbers between two positive ones, as many as stay apart, or even ones where few are; the same as those of `scalectl plot`.
function roundTicks(low, high, most) {
  const apart = Math.log(high / low) / most;
  const ticks = [];
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  for (const step of [1, 2, 5, 3, 7, 1.5, 1.2, 9]) {
    for (let decade = first; decade <= last; decade++) {
      const tick = Number(`${step}e${decade}`);
      if (tick < low || tick > high) continue;
      if (ticks.every((other) => Math.abs(Math.log(other / tick)) >= apart)) ticks.push(tick);
    }
  }
  return ticks.length < 3 ? evenTicks(low, high) : ticks.sort((a, b) => a - b);
}

function evenTicks(low, high) {
  const least = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(least));
  const step = unit * [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((part) => part * unit >= least * (1 - 1e-9));
  const ticks = [];
  for (let place = Math.ceil(low / step); place * step <= high; place++) ticks.push(Number((place * step).toPrecision(12)));
  return ticks;
}

function scaleOf(kind, domain) {
  return kind === "log" ? {type: "log", domain, nice: false} : {type: "linear", domain, nice: false, zero: false};
}

function axisOf(title, scale, domain, format, most) {
  const axis = {title, labelFlush: false, labelOverlap: true, tickCount: most};
  if (scale === "log" && domain) axis.values = roundTicks(domain[0], domain[1], most);
  axis.labelExpr = format;
  return axis;
}

const AS_COUNT = "datum.value < 1 ? format(datum.value, '.3~g') : replace(format(datum.value, '.3~s'), 'G', 'B')"; // below 1 an m would be minutes or millions
const AS_POWER = "datum.value == 0 ? '0' : format(datum.value, '~e')";
const AS_SHARE = "format(100 * datum.value, '~r') + ' %'";
const AS_NUMBER = "format(datum.value, '~r')";

function yFormat(metric) {
  return isError(metric) ? AS_SHARE : AS_NUMBER;
}

function xFormat(name) {
  return name === "flops" ? AS_POWER : AS_COUNT;
}

function extent(values, padding = 1.15) {
  const known = values.filter((value) => value > 0 && Number.isFinite(value));
  if (!known.length) return null;
  return [least(known) / padding, greatest(known) * padding];
}

// A linear axis that has 0 and all values on it, with room for marks beyond those.
function fromZero(values) {
  const known = values.filter(Number.isFinite);
  if (!known.length) return null;
  const low = Math.min(0, least(known)), high = Math.max(0, greatest(known)), room = 0.08 * (high - low);
  return high > low ? [low && low - room, high && high + room] : [-0.05, 1];
}

// The y axis of these values, as it was chosen.
function yDomain(values, padding) {
  return choice.yScale === "linear" ? fromZero(values) : extent(values, padding);
}

// Of any number of values: as arguments of Math.min a hundred thousand of them overflow the stack.
function least(values) {
  return values.reduce((low, value) => Math.min(low, value), Infinity);
}

function greatest(values) {
  return values.reduce((high, value) => Math.max(high, value), -Infinity);
}

function metricLabel(name) {
  return (PAGE.metrics.find((metric) => metric.name === name)?.label ?? name).replace(" (%)", "");
}

function axisLabel(name) {
  const axis = PAGE.axes.find((entry) => entry.name === name);
  if (!axis) return name;
  return axis.label.toLowerCase() === axis.unit ? axis.label : `${axis.label} (${axis.unit})`;
}

function config() {
  const colour = ink();
  const axis = {labelColor: colour, titleColor: colour, domainColor: colour, tickColor: colour, gridColor: colour,
    gridOpacity: 0.12, domainOpacity: 0.6, tickOpacity: 0.6, labelFontSize: 12, titleFontSize: 13, titleFontWeight: "normal", titlePadding: 8};
  return {background: null, font: "system-ui, sans-serif", view: {stroke: null}, axis};
}
