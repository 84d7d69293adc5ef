// Numbers as the command line prints them, and elements whose text is never read as markup.

const MINUS_FROM = -4; // powers of ten below which Python's %g turns to exponents

function general(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "--";
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(digits - 1).split("e")[1]);
  if (exponent < MINUS_FROM || exponent >= digits) {
    const [head, power] = value.toExponential(digits - 1).split("e");
    const sign = power[0] === "-" ? "-" : "+";
    return `${trimmed(head)}e${sign}${power.slice(1).padStart(2, "0")}`;
  }
  return trimmed(value.toPrecision(digits));
}

function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// Whether a metric is shown in per cent.
function isError(metric) {
  return PERCENT.has(metric);
}

function metricValue(metric, value, digits = 3) {
  if (value === null || value === undefined) return "--";
  return isError(metric) ? `${general(100 * value, digits)} %` : general(value, digits);
}

function countOf(value) {
  if (value === null || value === undefined) return "--";
  for (const [size, suffix] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= 0.9995 * size) return `${general(value / size, 3)} ${suffix}`;
  }
  return general(value, 3);
}

// Images a second, as `status` prints them.
function rate(value) {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : general(value, 4);
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "--";
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// A fraction in per cent, as on the command line: 0 % and 100 % are nothing and all.
function share(part) {
  if (part > 1e-9 && part < 0.0005) return "< 0.1 %";
  if (part >= 0.995 && part < 1 - 1e-9) return `${(Math.floor(part / 0.001) / 10).toFixed(1)} %`;
  const digits = part > 1e-9 && part < 0.1 ? 1 : 0;
  return `${(100 * part).toFixed(digits)} %`;
}

function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

// The text of a cell of the column `name`: metrics as such, costs with their unit.
function cellText(name, value) {
  if (value === null || value === undefined || value === "") return "";
  if (METRICS.has(name)) return metricValue(name, value);
  if (name === "device_seconds") return duration(value);
  if (name === "flops") return value.toExponential(1);
  if (name === "params" || name === "images_seen") return countOf(value);
  if (Number.isInteger(value) && value >= 1e4 && Number(value.toPrecision(3)) === value) return countOf(value);
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en") : general(value, 4);
  return String(value);
}

const LABELS = {flops: "FLOPs", device_seconds: "device time", core_days: "core-days"};

function columnLabel(name) {
  return LABELS[name] ?? (METRICS.has(name) ? name : name.replaceAll("_", " "));
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function fill(id, ...children) {
  document.getElementById(id).replaceChildren(...children.filter((child) => child !== null));
}

function plainTable(caption, head, rows, numbersFrom = 1) {
  const side = (place) => (place >= numbersFrom ? "number" : null);
  const cells = (row) => row.map((cell, place) => element("td", {class: side(place)}, cell));
  const headCells = head.map((cell, place) => element("th", {scope: "col", class: side(place)}, cell));
  return element(
    "div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    element("table", {}, element("caption", {}, caption), element("thead", {}, element("tr", {}, ...headCells)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row))))),
  );
}
