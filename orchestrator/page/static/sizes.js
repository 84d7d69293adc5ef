// What limits the error: the best run of each model size and of each data size, and model sizes at equal compute.

const LIMIT_NAMES = {params: "Model size (parameters)", data_size: "Distinct training images"};

function smallSpec(xTitle, xDomain, yDomain, layers, description, xAxis = {}) {
  return {
    description, width: "container", height: 280, autosize: {type: "fit", contains: "padding"}, config: config(),
    data: {name: "runs"}, datasets: {}, layer: layers(
      {field: "x", type: "quantitative", scale: scaleOf("log", xDomain), axis: {...axisOf(xTitle, "log", xDomain, AS_COUNT, 5), ...xAxis}},
      {field: "y", type: "quantitative", scale: scaleOf(choice.yScale, yDomain),
        axis: axisOf(metricLabel(choice.metric), choice.yScale, yDomain, yFormat(choice.metric), 7)}),
  };
}

// The best of each size, of means of seeds where laws average them: its runs, and a row that has their mean.
function bestOf(rows, size) {
  const cells = new Map(), best = new Map(), apart = chosenFit()?.seeds === "each";
  for (const row of rows) {
    const cell = apart ? row.run : row.cell ?? row.run;
    if (!cells.has(cell)) cells.set(cell, []);
    cells.get(cell).push(row);
  }
  for (const runs of cells.values()) {
    const mean = {...runs[0], runs, [choice.metric]: runs.reduce((sum, run) => sum + run[choice.metric], 0) / runs.length};
    const before = best.get(mean[size]);
    if (!before || shortfall(mean) < shortfall(before)) best.set(mean[size], mean);
  }
  return best;
}

function drawLimit(id, size) {
  const rows = shownRuns().filter((row) => isUsed(row) && row[size] > 0 && isMeasured(row, choice.metric));
  const xs = extent(rows.map((row) => row[size]), 1.5), ys = yDomain(rows.map((row) => row[choice.metric]), 1.2);
  if (!xs || !ys) {
    nothing(id, unlessUnmeasured(`No run that is shown has ${choice.metric} and ${size}.`));
    return;
  }
  const heldOut = heldOutRuns();
  const best = bestOf(rows.filter((row) => !heldOut.has(row.run)), size);
  const front = new Set([...best.values()].flatMap((mean) => mean.runs.map((run) => run.run)));
  const better = [...best.values()].sort((a, b) => a[size] - b[size]).filter((row, place, all) => all.slice(0, place).every((other) => shortfall(other) >= shortfall(row)));
  const layers = (x, y) => [
    {data: {name: "best"}, mark: {type: "line", color: ink(), strokeWidth: 1.5, tooltip: false, aria: false}, encoding: {x, y, order: {field: "x"}}},
    ...runLayers(x, y),
  ];
  const ticks = {values: [...best.keys()].sort((a, b) => b - a).filter(apartBy(xs, 4.5))};
  const spec = smallSpec(LIMIT_NAMES[size], xs, ys, layers, `${metricLabel(choice.metric)} of each run by ${LIMIT_NAMES[size].toLowerCase()}, the best of each joined.`, ticks);
  const used = new Set(rows.map((row) => row.run));
  const shown = runRows(size, choice.metric, front, heldOut).filter((row) => used.has(row.run));
  draw(id, spec, {best: better.map((row) => ({x: row[size], y: row[choice.metric]})), runs: shown});
}

// Keeps of numbers, largest first, those that stand apart on a logarithmic axis that has room for so many.
function apartBy([low, high], most) {
  let last = Infinity;
  return (value) => {
    if (Math.log(last / value) < Math.log(high / low) / most) return false;
    last = value;
    return true;
  };
}

function drawIsoflop() {
  const known = PAGE.isoflops.find((entry) => entry.metric === choice.metric && entry.x === choice.x);
  if (!known || known.refusal) {
    nothing("isoflop-chart", unlessUnmeasured(known?.refusal ?? `This file has no budgets for ${choice.metric} over ${choice.x}.`));
    fill("isoflop-note", "");
    return;
  }
  const points = [], parabolas = [], minima = [];
  known.budgets.forEach((budget, place) => {
    const part = known.budgets.length > 1 ? place / (known.budgets.length - 1) : 0.5;
    const colour = isMany() ? ink() : `color-mix(in oklab, var(--budget-first) ${100 * (1 - part)}%, var(--budget-last))`;
    for (const best of budget.best) {
      const row = best.runs.map((run) => PLACES.get(run)).find((one) => one && isShown(one) && isMeasured(one, choice.metric));
      if (row) points.push({run: row.run, x: row.params, y: best.y, colour, budget: place, bare: !budget.parabola, text: `${best.name}: ${metricValue(choice.metric, best.y)}`});
    }
    if (budget.parabola) {
      budget.parabola.x.forEach((at, step) => parabolas.push({x: at, y: budget.parabola.y[step], colour, budget: place}));
      minima.push({x: budget.params, y: budget.error, text: `best size ${countOf(budget.params)} at ${general(budget.compute, 2)} ${choice.x}`});
    }
  });
  const xs = extent(points.map((row) => row.x), 1.5), ys = extent(points.map((row) => row.y), 1.15);
  if (!xs || !ys) {
    nothing("isoflop-chart", "No run of these budgets is shown.");
    return;
  }
  const layers = (x, y) => {
    const colour = {field: "colour", type: "nominal", scale: null};
    const joined = {x, y, color: colour, detail: {field: "budget"}, order: {field: "x"}};
    return [
      {transform: [{filter: "datum.bare"}], mark: {type: "line", strokeDash: [2, 3], strokeWidth: 1, tooltip: false, aria: false}, encoding: joined},
      {data: {name: "parabolas"}, mark: {type: "line", strokeWidth: 1.8, tooltip: false, aria: false}, encoding: joined},
      {mark: {type: "point", filled: true, size: 45, opacity: 1, tooltip: true, cursor: "pointer"}, encoding: {x, y, color: colour, tooltip: {field: "run"}, description: {field: "text"}}},
      {data: {name: "minima"}, mark: {type: "point", shape: "diamond", size: 110, filled: true, fill: paper(), stroke: ink(), strokeWidth: 1.5, opacity: 1, tooltip: false}, encoding: {x, y, description: {field: "text"}}},
    ];
  };
  draw("isoflop-chart", smallSpec(LIMIT_NAMES.params, xs, ys, layers, `${metricLabel(choice.metric)} against model size at each budget, with the best sizes.`), {runs: points, parabolas, minima});
  fill("isoflop-note", ...known.text.split("\n").map((line) => element("p", {}, line.trim().replace(/ {2,}/, ", "))));
}
