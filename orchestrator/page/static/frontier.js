// Every run as its metric over compute, the frontier, and the law with its band.

function runRows(xName, yName, front = new Set(), stars = new Set()) {
  return shownRuns().filter((row) => row[xName] > 0 && isMeasured(row, yName)).map((row) => ({
    run: row.run, x: row[xName], y: row[yName], colour: colourOf(row.model), shape: stars.has(row.run) ? STAR : shapeOf(row.model),
    area: stars.has(row.run) ? 160 : areaOf(row), ring: front.has(row.run), chosen: chosen.has(row.run),
    pale: row.excluded || row.state !== "done",
    text: `${row.name}: ${metricValue(yName, row[yName])} at ${cellText(xName, row[xName])} ${xName}, ${row.model}`,
  }));
}

const STAR = "M0,-1L0.22,-0.31L0.95,-0.31L0.36,0.12L0.59,0.81L0,0.38L-0.59,0.81L-0.36,0.12L-0.95,-0.31L-0.22,-0.31Z";

function isMeasured(row, metric) {
  const value = row[metric];
  return isNumeric(value) && (choice.yScale === "linear" || value > 0);
}

// The marks of runs: a halo around chosen ones, rings around the frontier, and the marks above both, for the pointer.
function runLayers(x, y) {
  const at = {x, y, description: {field: "text"}};
  const only = (field) => [{filter: `datum.${field}`}];
  return [
    {transform: only("chosen"), mark: {type: "point", size: 420, filled: true, opacity: 0.25, color: ink(), tooltip: false, aria: false}, encoding: {x, y}},
    {transform: only("ring"), mark: {type: "point", filled: false, shape: "circle", size: 190, color: ink(), strokeWidth: 1.4, opacity: 1, tooltip: false, aria: false},
      encoding: {x, y}},
    {mark: {type: "point", filled: true, stroke: paper(), strokeWidth: 0.7, cursor: "pointer", tooltip: true},
      encoding: {...at, color: {field: "colour", type: "nominal", scale: null}, shape: {field: "shape", type: "nominal", scale: null},
        size: {field: "area", type: "quantitative", scale: null}, opacity: {condition: {test: "datum.pale", value: 0.45}, value: 1},
        tooltip: {field: "run"}}},
  ];
}

function frontierDomains(law) {
  const rows = shownRuns().filter((row) => row[choice.x] > 0 && isMeasured(row, choice.metric));
  const curve = law?.curve;
  const xs = rows.map((row) => row[choice.x]).concat(curve?.x ?? []);
  const ys = rows.map((row) => row[choice.metric]);
  if (curve) ys.push(...curve.y, ...curve.low.filter((low) => low > 0.3 * least(curve.y)));
  const x = choice.zoom?.x ?? extent(xs), y = choice.zoom?.y ?? yDomain(ys, 1.1);
  if (!x || !y) return null;
  if (!choice.zoom && isError(choice.metric)) y[1] = Math.min(y[1], Math.max(1.02, 1.02 * greatest(rows.map((row) => row[choice.metric]))));
  if (!choice.zoom && choice.xScale === "linear") x[0] = 0;
  return {x, y};
}

function frontierSpec(law, domains, width) {
  const most = width < 500 ? 5 : 9;
  const x = {field: "x", type: "quantitative", scale: scaleOf(choice.xScale, domains.x),
    axis: axisOf(axisLabel(choice.x), choice.xScale, domains.x, xFormat(choice.x), most)};
  const y = {field: "y", type: "quantitative", scale: scaleOf(choice.yScale, domains.y),
    axis: axisOf(metricLabel(choice.metric), choice.yScale, domains.y, yFormat(choice.metric), 9)};
  const line = (part, dash) => ({data: {name: "curve"}, transform: [{filter: `datum.part == '${part}'`}],
    mark: {type: "line", clip: true, color: ink(), strokeWidth: 2, strokeDash: dash, tooltip: false, aria: false}, encoding: {x, y}});
  const clip = (layer) => ({...layer, mark: {...layer.mark, clip: true}});
  const layers = [
    {data: {name: "curve"}, transform: [{filter: "datum.low > 0"}], mark: {type: "area", clip: true, opacity: 0.13, color: ink(), tooltip: false, aria: false},
      encoding: {x, y: {...y, field: "low"}, y2: {field: "high"}}},
    {data: {name: "trunks"}, mark: {type: "line", clip: true, strokeWidth: 0.7, opacity: 0.6, tooltip: false, aria: false, invalid: "break-paths-filter-domains"},
      encoding: {x, y, detail: {field: "trunk"}, order: {field: "x"}, color: {field: "colour", type: "nominal", scale: null}}},
    line("below", [6, 4]), line("inside", []), line("beyond", [6, 4]),
    {data: {name: "spans"}, mark: {type: "rule", clip: true, color: ink(), strokeWidth: 1.2, tooltip: false, aria: false},
      encoding: {x, y: {...y, field: "low"}, y2: {field: "high"}}},
    ...runLayers(x, y).map(clip),
  ];
  if (!IS_COARSE) layers.at(-1).params = [{name: "box", select: {type: "interval", encodings: ["x", "y"], mark: {fill: ink(), fillOpacity: 0.1, stroke: ink(), strokeOpacity: 0.6}}}];
  return {
    description: `${metricLabel(choice.metric)} against ${axisLabel(choice.x)}: ${counted(shownRuns().length, "run")}, their frontier, and the law.`,
    width: "container", height: width < 500 ? 320 : 460, autosize: {type: "fit", contains: "padding"}, config: config(),
    data: {name: "runs"}, datasets: {}, layer: layers,
  };
}

const IS_COARSE = matchMedia("(pointer: coarse)").matches;

function curveRows(law) {
  if (!law?.curve) return [];
  const {x, y, low, high, ends} = law.curve;
  const rows = [];
  x.forEach((at, place) => {
    const row = {x: at, y: y[place], low: low?.[place] ?? null, high: high?.[place] ?? null};
    if (at <= ends[0]) rows.push({...row, part: "below"});
    if (at >= ends[0] && at <= ends[1]) rows.push({...row, part: "inside"});
    if (at >= ends[1]) rows.push({...row, part: "beyond"});
  });
  return rows;
}

// The ends of runs that share a trunk, which a thin line joins; it is interrupted where one is not measured.
function trunkRows() {
  const groups = new Map();
  for (const row of shownRuns()) {
    if (row.shared < 0) continue;
    if (!groups.has(row.shared)) groups.set(row.shared, []);
    groups.get(row.shared).push(row);
  }
  const rows = [];
  for (const [trunk, group] of groups) {
    if (group.length < 2) continue;
    group.sort((a, b) => a[choice.x] - b[choice.x]);
    for (const row of group) {
      if (!(row[choice.x] > 0)) continue;
      const y = row.state === "done" && !row.excluded && isMeasured(row, choice.metric) ? row[choice.metric] : null;
      rows.push({trunk, x: row[choice.x], y, colour: colourOf(row.model)});
    }
  }
  return rows;
}

function spanRows() {
  return shownRuns().filter((row) => chosen.has(row.run) && row[choice.x] > 0).flatMap((row) => {
    const ends = interval(choice.metric, row);
    return ends && ends[0] > 0 ? [{x: row[choice.x], low: ends[0], high: ends[1]}] : [];
  });
}

function drawFrontier() {
  const law = chosenLaw(), box = document.getElementById("frontier-chart");
  const domains = frontierDomains(law);
  drawLegend(law);
  fill("frontier-note", METRICS.size ? [lawNote(law), belowNote()].filter(Boolean).join(" ") : "");
  if (!domains) {
    nothing("frontier-chart", belowNote() || unlessUnmeasured(`No run that is shown has ${choice.metric} and ${choice.x}.`));
    return;
  }
  const data = {curve: curveRows(law), trunks: trunkRows(), spans: spanRows(), runs: runRows(choice.x, choice.metric, frontierRuns(), heldOutRuns())};
  draw("frontier-chart", frontierSpec(law, domains, box.clientWidth), data, (view) => followBox(view, domains));
}

// How many runs a logarithmic axis can't show.
function belowNote() {
  const number = shownRuns().filter((row) => row[choice.x] > 0 && isNumeric(row[choice.metric]) && !isMeasured(row, choice.metric)).length;
  return number ? `${counted(number, "run")} at 0 or below: not on a logarithmic y axis, but on a linear one.` : "";
}

function isNumeric(value) {
  return value !== null && value !== undefined;
}

function lawNote(law) {
  if (!law) return unlessUnmeasured(`This file has no law for this choice. ${commandOf(RUNS)} fits it.`);
  if (law.refusal) return law.refusal;
  const hidden = Object.keys(choice.filters).length ? " The law is that of all runs: filters only hide runs." : "";
  return `${law.text}.${hidden}`;
}

// A box that was drawn is zoomed into, or chooses the runs inside.
function followBox(view, domains) {
  if (IS_COARSE) return;
  for (const mark of view.container().querySelectorAll(".box_brush, .box_brush_bg")) {
    mark.removeAttribute("role"); // it is no mark of the data, and has no name
    mark.setAttribute("aria-hidden", "true");
  }
  view.addEventListener("pointerup", () => setTimeout(() => {
    const box = view.signal("box");
    if (!box || !box.x || !box.y) return;
    const [x, y] = [box.x, box.y].map((ends) => [least(ends), greatest(ends)]);
    if (choice.drag === "zoom") zoomTo({x, y});
    else {
      for (const row of shownRuns()) {
        const inside = row[choice.x] >= x[0] && row[choice.x] <= x[1] && row[choice.metric] >= y[0] && row[choice.metric] <= y[1];
        if (inside) chosen.add(row.run);
      }
      chooseAgain();
      redraw("frontier-chart");
    }
  }));
}

function zoomTo(zoom) {
  choice.zoom = zoom;
  redraw("frontier-chart");
  drawFrontier();
}

// Zoom about the middle by a factor, in the logarithm where the axis has it.
function zoomBy(factor) {
  const domains = frontierDomains(chosenLaw());
  if (!domains) return;
  const around = ([low, high], scale) => {
    if (scale === "log") {
      const middle = Math.sqrt(low * high), reach = Math.sqrt(high / low) ** factor;
      return [middle / reach, middle * reach];
    }
    const middle = (low + high) / 2, reach = ((high - low) / 2) * factor;
    return [middle - reach, middle + reach];
  };
  zoomTo({x: around(domains.x, choice.xScale), y: around(domains.y, choice.yScale)});
}
