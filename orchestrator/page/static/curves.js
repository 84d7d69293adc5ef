// Training curves: each trunk once, and each run's own steps after it.

const CURVES_OVER = {flops: "flops", images_seen: "images", device_seconds: "seconds", core_days: "seconds"};

function drawCurves() {
  if (!PAGE.curves.length) {
    nothing("curves-chart", "No run has a training curve: imported runs have none, and others before their first steps.");
    fill("curves-legend");
    fill("curves-note", "");
    return;
  }
  const over = CURVES_OVER[choice.x] ?? "flops";
  const factors = {flops: (curve) => curve.flops_per_step, images: (curve) => curve.images_per_step};
  const lines = [], shown = new Set();
  PAGE.curves.forEach((curve, place) => {
    const row = curve.runs.map((run) => PLACES.get(run)).find((run) => run && isShown(run));
    if (!row) return;
    shown.add(row);
    const isChosen = curve.runs.some((run) => chosen.has(run));
    curve.steps.forEach((step, at) => {
      const x = over === "seconds" ? curve.seconds[at] : step * factors[over](curve);
      const y = curve.losses[at];
      if (x > 0 && y > 0) lines.push({x, y, colour: colourOf(row.model), curve: place, run: curve.run || null, dash: dashOf(row), width: isChosen ? 3 : curve.run ? 1.5 : 1.1});
    });
  });
  const whole = extent(lines.map((row) => row.x), 1.1), ys = extent(lines.map((row) => row.y), 1.05);
  if (!whole || !ys) {
    nothing("curves-chart", "No training curve of the runs that are shown.");
    fill("curves-legend");
    return;
  }
  const ends = new Map();
  for (const row of lines) ends.set(row.curve, Math.max(ends.get(row.curve) ?? 0, row.x));
  const xs = [Math.max(whole[0], least([...ends.values()]) / 20), whole[1]];
  const width = document.getElementById("curves-chart").clientWidth;
  const title = {flops: "Training compute so far (FLOPs)", images: "Images seen so far", seconds: "Training time so far (device-seconds)"}[over];
  const x = {field: "x", type: "quantitative", scale: scaleOf(choice.xScale, choice.xScale === "log" ? xs : [0, whole[1]]),
    axis: axisOf(title, choice.xScale, xs, over === "flops" ? AS_POWER : AS_COUNT, width < 500 ? 5 : 9)};
  const y = {field: "y", type: "quantitative", scale: scaleOf(choice.yScale, ys), axis: axisOf("Training loss", choice.yScale, ys, AS_NUMBER, 8)};
  const spec = {
    description: `${title.replace(" so far", "")} against training loss: ${counted(ends.size, "line")}, each of a trunk or of what a run has of its own.`,
    width: "container", height: width < 500 ? 300 : 380, autosize: {type: "fit", contains: "padding"}, config: config(), data: {name: "runs"}, datasets: {},
    mark: {type: "line", clip: true, interpolate: "linear", aria: false, tooltip: true},
    encoding: {x, y, detail: {field: "curve"}, order: {field: "x"}, color: {field: "colour", type: "nominal", scale: null}, strokeWidth: {field: "width", type: "quantitative", scale: null},
      strokeDash: {field: "dash", type: "nominal", scale: null}, tooltip: {field: "run"}},
  };
  draw("curves-chart", spec, {runs: lines});
  const each = SIZES.length > 1 && SIZES.length <= DASHES.length ? SIZES.map((size) => element("li", {}, dashed(size), `${countOf(size)} images`)) : [];
  fill("curves-legend", element("ul", {class: "legend"}, ...modelsOf([...shown]), ...each));
  const dashes = SIZES.length > DASHES.length ? ` Dashes tell the data sizes apart, and the largest has a solid line (${sizesText(SIZES)}).` : "";
  fill("curves-note", `Each line is the mean of neighbours within 8 % along the axis. Runs of one trunk share its line up to their branch.${dashes}${omitted()}`);
}

// What a figure leaves out where there are more trunks than it can carry.
function omitted() {
  const drawn = new Set(PAGE.curves.flatMap((curve) => curve.runs).map((run) => PLACES.get(run)?.shared)).size;
  const trained = new Set(RUNS.filter((row) => row.step > 0).map((row) => row.shared)).size;
  return drawn < trained ? ` ${drawn.toLocaleString("en")} of ${trained.toLocaleString("en")} trunks are drawn, evenly chosen: a page of fewer runs has all of its own (scalectl report --where).` : "";
}
