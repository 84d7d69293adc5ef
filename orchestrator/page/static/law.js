// The law in numbers: the same as `scalectl fit` prints, with its warnings, its backtest and its held-out runs.

function drawLaw() {
  const law = chosenLaw();
  if (!law || law.refusal) {
    fill("law-text", element("p", {class: "nothing"}, lawNote(law)));
    return;
  }
  const parameters = law.parameters.map(([letter, ...row]) => [element("i", {}, letter), ...row]);
  const parts = [element("p", {}, law.head), element("div", {class: "beside"},
    plainTable(law.formula, ["", "parameter", "value", law.level, ""], parameters, 2), linesOf(law.checks))];
  if (law.held_out.length) parts.push(heldOutTable(law));
  const test = PAGE.backtests.find((entry) => entry.metric === choice.metric && entry.x === choice.x);
  if (test) parts.push(element("h3", {}, "Backtest"), linesOf(test.lines));
  parts.push(familiesTable());
  fill("law-text", ...parts.filter(Boolean));
}

function linesOf(lines) {
  return element("ul", {class: "checks"}, ...lines.map((line) => element("li", {class: line.startsWith("warning:") ? "warning" : null}, line)));
}

// A law as text without the unit, which stands above.
function formulaOf(law) {
  return law.text.replace(/, C in [^,]*$/, "");
}

function heldOutTable(law) {
  const rows = law.held_out.map((run) => {
    const inside = run.low === null ? "" : run.low <= run.got && run.got <= run.high ? "inside" : "outside";
    const ends = run.low === null ? "" : `${metricValue(law.metric, run.low)} to ${metricValue(law.metric, run.high)}`;
    return [runButton(run.run), general(run.compute, 3), metricValue(law.metric, run.predicted), ends, metricValue(law.metric, run.got), inside];
  });
  return plainTable("Held-out runs that would be on the frontier", ["run", law.x, "predicted", "90 % interval", "measured", ""], rows);
}

function familiesTable() {
  const laws = PAGE.laws.filter((law) => law.metric === choice.metric && law.x === choice.x && law.family && !law.refusal);
  if (laws.length < 2) return null;
  const rows = laws.map((law) => [element("button", {type: "button", class: "link", "data-family": law.family, onclick: () => chooseFamily(law.family)}, law.family), formulaOf(law), law.residual, law.left_one_out, law.ahead]);
  return plainTable("Each family by itself, on the same frontier", ["law", "fitted", "residual (log)", "each point from the others", "at 10 x the largest compute"], rows, 2);
}

function chooseFamily(name) {
  choice.family = name;
  changed();
}
