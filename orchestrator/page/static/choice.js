// What the page shows: the metric, the compute, the law, the axes, the filters, the chosen runs; kept in the address.

const choice = {metric: "", x: "", family: "", xScale: "log", yScale: "log", filters: {}, zoom: null, drag: "zoom", sort: ["", 1]};
const chosen = new Set(); // ids of runs
let PAGE, RUNS, METRICS, PERCENT, PLACES, SIZES; // the data, its runs as rows, the names of metrics and of those in per cent, the rows by id, the data sizes from the smallest

function take(page) {
  PAGE = page;
  METRICS = new Set(page.metrics.map((metric) => metric.name));
  PERCENT = new Set(page.metrics.filter((metric) => metric.percent).map((metric) => metric.name));
  const names = Object.keys(page.runs);
  const number = names.length ? page.runs.run.length : 0;
  RUNS = Array.from({length: number}, (_, place) => {
    const row = {place};
    for (const name of names) row[name] = page.runs[name][place];
    return row;
  });
  SIZES = [...new Set(RUNS.map((row) => row.data_size).filter((size) => size > 0))].sort((a, b) => a - b);
  PLACES = new Map(RUNS.map((row) => [row.run, row]));
  for (const run of chosen) if (!PLACES.has(run)) chosen.delete(run);
  const offered = (list, name) => list.some((entry) => entry.name === name);
  const first = page.fits[0] ?? {metric: page.metrics[0]?.name ?? "", x: page.axes[0]?.name ?? "", law: ""};
  if (!offered(page.metrics, choice.metric)) choice.metric = offered(page.metrics, first.metric) ? first.metric : page.metrics[0]?.name ?? "";
  if (!offered(page.axes, choice.x)) choice.x = offered(page.axes, first.x) ? first.x : page.axes[0]?.name ?? "";
  if (choice.family && !page.families.some((family) => family.name === choice.family)) choice.family = "";
  for (const [name, values] of Object.entries(choice.filters)) {
    const known = page.facets.find((facet) => facet.name === name)?.values ?? [];
    choice.filters[name] = values.filter((value) => known.includes(value));
    if (!choice.filters[name].length) delete choice.filters[name];
  }
}

function isShown(row) {
  return Object.entries(choice.filters).every(([name, values]) => values.includes(row[name]));
}

function shownRuns() {
  return RUNS.filter(isShown);
}

// Why a figure has nothing to show: no run is measured yet, as before the first one has ended, or else this reason.
function unlessUnmeasured(reason) {
  return METRICS.size ? reason : "No run is measured yet.";
}

// The law of the chosen metric, compute and family; the study's own where no family is asked for.
function chosenLaw() {
  return PAGE.laws.find((law) => law.metric === choice.metric && law.x === choice.x && law.family === choice.family);
}

function isUsed(row) {
  return row.state === "done" && !row.excluded && row[choice.metric] !== null && row[choice.metric] !== undefined && row[choice.x] > 0;
}

// The chosen metric of a run, turned so that lower is better.
function shortfall(row) {
  const rises = PAGE.metrics.find((metric) => metric.name === choice.metric)?.rises;
  return rises ? -row[choice.metric] : row[choice.metric];
}

const ONE_COMPUTE = 1.002; // factor between computes that differ by rounding alone

// What the study asks of the law that is chosen.
function chosenFit() {
  const alike = PAGE.fits.filter((fit) => fit.metric === choice.metric && fit.x === choice.x);
  return alike.find((entry) => entry.law === choice.family) ?? alike[0] ?? PAGE.fits[0];
}

// The ids of the runs that the study holds out of this law.
function heldOutRuns() {
  return new Set(chosenFit()?.held_out);
}

// The ids of the runs on the frontier: the law's, or else those that no cheaper run equals and no law holds out.
function frontierRuns() {
  const law = chosenLaw();
  if (law?.frontier) return new Set(law.frontier);
  const heldOut = heldOutRuns();
  const budgets = new Map();
  let first = 0;
  for (const row of RUNS.filter((run) => isUsed(run) && !heldOut.has(run.run)).sort((a, b) => a[choice.x] - b[choice.x])) {
    if (row[choice.x] > ONE_COMPUTE * first) first = row[choice.x];
    budgets.set(row, first);
  }
  const best = new Set();
  let least = Infinity;
  for (const [row] of [...budgets].sort(([a, x], [b, y]) => x - y || shortfall(a) - shortfall(b))) {
    if (shortfall(row) < least) {
      least = shortfall(row);
      best.add(row.run);
    }
  }
  return best;
}

// The images that a metric of a run was measured on: its own, where its metrics differ in that.
function imagesOf(metric, row) {
  return row[`${metric}/test_images`] ?? row.test_images;
}

// The 90 % interval of an error that was measured on so many images: Wilson's, for a share of independent images.
function interval(metric, row) {
  const share = row[metric], images = imagesOf(metric, row), z = 1.645;
  if (!isError(metric) || !images || share === null || share === undefined || share < 0 || share > 1) return null;
  const whole = 1 + (z * z) / images;
  const middle = (share + (z * z) / (2 * images)) / whole;
  const reach = (z / whole) * Math.sqrt((share * (1 - share)) / images + (z * z) / (4 * images * images));
  return [Math.max(0, middle - reach), Math.min(1, middle + reach)];
}

const KEPT = {metric: "metric", x: "x", family: "law", xScale: "xscale", yScale: "yscale"};

function toAddress() {
  const words = new URLSearchParams();
  for (const [name, word] of Object.entries(KEPT)) if (choice[name] && choice[name] !== "log") words.set(word, choice[name]);
  for (const [name, values] of Object.entries(choice.filters)) words.set(`only.${name}`, JSON.stringify(values));
  history.replaceState(null, "", `#${words}`);
}

function fromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const [name, word] of Object.entries(KEPT)) if (words.has(word)) choice[name] = words.get(word);
  for (const name of ["xScale", "yScale"]) if (choice[name] !== "linear") choice[name] = "log";
  for (const [word, text] of words) {
    if (!word.startsWith("only.")) continue;
    try {
      const values = JSON.parse(text);
      if (Array.isArray(values)) choice.filters[word.slice(5)] = values;
    } catch {
      // an address that somebody typed: the filter is left out
    }
  }
}

function drawChoices(changed) {
  const options = (id, entries, value, note = "") => {
    const made = entries.map(([name, label]) => element("option", {value: name, selected: name === value}, label));
    fill(id, ...made);
    document.getElementById(id).value = value;
    document.getElementById(id).title = note;
  };
  options("metric", PAGE.metrics.map((metric) => [metric.name, metric.name]), choice.metric);
  options("x", PAGE.axes.map((axis) => [axis.name, axis.name]), choice.x);
  options("family", [["", "as the study asks"], ...PAGE.families.map((family) => [family.name, family.name])], choice.family);
  document.getElementById("x-scale").value = choice.xScale;
  document.getElementById("y-scale").value = choice.yScale;
  document.getElementById("drag").value = choice.drag;
  drawFacets(changed);
}

const FEW = 12; // values of a filter from which on it is folded

function drawFacets(changed) {
  const groups = PAGE.facets.map((facet) => {
    const values = choice.filters[facet.name] ?? [];
    const buttons = facet.values.map((value) => {
      const pressed = values.includes(value);
      const toggle = () => {
        const left = pressed ? values.filter((other) => other !== value) : [...values, value];
        if (left.length) choice.filters[facet.name] = left;
        else delete choice.filters[facet.name];
        changed();
      };
      const place = facet.values.indexOf(value);
      return element("button", {type: "button", class: "chip", "aria-pressed": String(pressed), onclick: toggle,
        "data-facet": facet.name, "data-place": place}, value === null ? "not known" : cellText(facet.name, value));
    });
    const name = columnLabel(facet.name);
    const group = element("div", {class: "facet", role: "group", "aria-label": name}, element("span", {}, name), ...buttons);
    if (buttons.length <= FEW) return group;
    const isOpen = values.length > 0 || document.getElementById(`facet-${facet.name}`)?.open;
    return element("details", {class: "many", id: `facet-${facet.name}`, open: isOpen}, element("summary", {}, `${name} (${buttons.length} values)`), group);
  });
  fill("facets", ...groups);
  const shown = shownRuns().length;
  fill("shown", shown === RUNS.length ? `${counted(RUNS.length, "run")}` : `${shown.toLocaleString("en")} of ${counted(RUNS.length, "run")}`);
  document.getElementById("clear").disabled = !Object.keys(choice.filters).length;
}
