// The grid of the study: a row for each model, a column for each data size, and in each cell its runs with their state.

const SIGNS = {done: "✓", running: "▶", planned: "·", stopped: "‖", failed: "✕", diverged: "∞"};
const MANY_IN_CELL = 100; // runs from which on a cell is folded

function drawCells() {
  const models = PAGE.models.filter((model) => RUNS.some((row) => row.model === model));
  const columns = [...new Set(RUNS.map((row) => row.data_size))].sort((a, b) => (a ?? 0) - (b ?? 0));
  const head = columns.map((size) => element("th", {scope: "col"}, size === null || size === undefined ? "not known" : `${countOf(size)} images`));
  const rows = models.map((model) => element("tr", {}, element("th", {scope: "row"}, symbol(model), model ?? "not known"), ...columns.map((size) => element("td", {}, cell(model, size)))));
  const states = Object.keys(SIGNS).filter((state) => RUNS.some((row) => row.state === state));
  const key = states.map((state) => element("li", {}, element("span", {class: `cell ${state}`, "aria-hidden": "true"}, SIGNS[state]), `${state} (${shownRuns().filter((row) => row.state === state).length.toLocaleString("en")})`));
  const unit = isError(choice.metric) ? " in per cent" : "";
  const note = `In each cell the runs by their steps${PAGE.swept.length ? `, then by ${PAGE.swept.join(", ")}` : ""}; of a run that is done its ${choice.metric}${unit}.`;
  fill("cells-table", element("ul", {class: "legend"}, ...key), element("p", {}, note),
    element("div", {class: "wide"}, element("table", {class: "cells", role: "grid", "aria-label": "Runs by model and data size", onkeydown: moveInCells},
      element("thead", {}, element("tr", {}, element("th", {scope: "col"}, "model"), ...head)), element("tbody", {}, ...rows))));
  const first = document.querySelector("#cells-table button");
  if (first) first.tabIndex = 0;
}

function cell(model, size) {
  const order = ["steps", ...PAGE.swept];
  const runs = RUNS.filter((row) => row.model === model && row.data_size === size);
  runs.sort((a, b) => order.map((name) => compared(a[name], b[name])).find((sign) => sign) ?? 0);
  if (runs.length <= MANY_IN_CELL) return cellGroup(runs);
  const id = `cell-${modelPlace(model)}-${size}`, box = element("details", {id}, element("summary", {}, cellCounts(runs)));
  box.addEventListener("toggle", () => { if (box.open && box.childElementCount === 1) box.append(cellGroup(runs)); });
  box.open = Boolean(document.getElementById(id)?.open);
  return box;
}

// A cell of many runs in words: how many there are, and in which states.
function cellCounts(runs) {
  const shown = runs.filter(isShown);
  const counts = Object.entries(SIGNS).map(([state, sign]) => [sign, shown.filter((row) => row.state === state).length]);
  return `${counted(shown.length, "run")}: ${counts.filter(([, number]) => number).map(([sign, number]) => `${sign} ${number}`).join(", ")}`;
}

function cellGroup(runs) {
  return element("div", {class: "group"}, ...runs.map((row) => {
    if (!isShown(row)) return element("span", {class: "cell hidden"});
    const value = row[choice.metric];
    const text = value === null || value === undefined ? "" : `, ${metricValue(choice.metric, value)}`;
    return element("button", {type: "button", class: `cell ${row.state}${row.excluded ? " excluded" : ""}`, tabindex: "-1", title: `${row.name}: ${stateText(row)}${text}`,
      "aria-label": `${row.name}: ${stateText(row)}${text}`, "aria-pressed": String(chosen.has(row.run)), "data-run": row.run, onclick: () => toggleRun(row.run)}, cellSign(row));
  }));
}

// What stands in the cell of a run: the first two digits of its metric once it is done, else the sign of its state.
function cellSign(row) {
  const value = row[choice.metric];
  if (row.state !== "done" || value === null || value === undefined) return SIGNS[row.state] ?? "?";
  return general(isError(choice.metric) ? 100 * value : value, 2);
}

// Arrow keys move between the runs of the grid, which Tab reaches as one.
function moveInCells(event) {
  const buttons = [...document.querySelectorAll("#cells-table button")];
  const place = buttons.indexOf(document.activeElement);
  const moves = {ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1};
  if (place < 0 || !(event.key in moves)) return;
  event.preventDefault();
  const next = buttons[Math.min(Math.max(0, moves[event.key]), buttons.length - 1)];
  buttons[place].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function compared(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : 1;
}
