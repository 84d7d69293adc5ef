// The page from its data: what is drawn first, and what each control does.

function drawAll() {
  document.title = PAGE.study;
  fill("study", PAGE.study);
  fill("summary", PAGE.summary.join(" · "));
  drawChoices(changed);
  drawFrontier();
  drawLaw();
  drawLimits();
  drawCurves();
  drawCells();
  drawRuns();
  drawChosen();
  drawCost();
  drawOrigin();
}

function drawLimits() {
  drawLimit("model-chart", "params");
  drawLimit("data-chart", "data_size");
  drawIsoflop();
}

function changed() {
  toAddress();
  keepingFocus(drawAll);
}

function listen() {
  const on = (id, kind, act) => document.getElementById(id).addEventListener(kind, act);
  const choose = (id, name) => on(id, "change", (event) => {
    choice[name] = event.target.value;
    choice.zoom = null;
    changed();
  });
  for (const [id, name] of [["metric", "metric"], ["x", "x"], ["family", "family"], ["x-scale", "xScale"], ["y-scale", "yScale"]]) choose(id, name);
  on("drag", "change", (event) => { choice.drag = event.target.value; });
  on("zoom-in", "click", () => zoomBy(0.6));
  on("zoom-out", "click", () => zoomBy(1 / 0.6));
  on("zoom-reset", "click", () => zoomTo(null));
  on("clear", "click", () => { choice.filters = {}; changed(); });
  on("choose-shown", "click", () => { for (const row of shownRuns()) chosen.add(row.run); chooseAgain(); });
  on("choose-none", "click", () => { chosen.clear(); chooseAgain(); });
  on("copy-where", "click", (event) => copy(document.getElementById("where").value, event.target));
  on("copy-rows", "click", (event) => copy(csvOf(RUNS.filter((row) => chosen.has(row.run))), event.target));
  on("controls", "submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) { toAddress(); return; } // a link to a section, which says nothing of what is shown
    choice.filters = {};
    fromAddress();
    take(PAGE);
    drawAll();
  });
  addEventListener("scroll", () => { document.getElementById("tip").hidden = true; }, {passive: true});
  addEventListener("keydown", (event) => { if (event.key === "Escape") document.getElementById("tip").hidden = true; });
  const again = () => { if (isMany()) { COLOURS.clear(); redrawAll(); drawAll(); } };
  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", again);
  addEventListener("beforeprint", () => { for (const box of document.querySelectorAll("details")) box.open = true; });
}

async function start() {
  fromAddress();
  take(JSON.parse(document.getElementById("data").textContent));
  if (matchMedia("(max-width: 700px)").matches) document.getElementById("filters").open = false;
  listen();
  drawAll();
  await allDrawn();
  follow();
  document.documentElement.dataset.ready = "yes";
}

start();
