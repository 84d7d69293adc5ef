// The table of runs, and what the chosen ones give: a condition for the command line, and rows as CSV.

const PAGE_OF_ROWS = 100; // rows that are shown at first, and with each further press
let rowsShown = PAGE_OF_ROWS;

function drawRuns() {
  const [by, sign] = choice.sort;
  const rows = shownRuns();
  if (by) rows.sort((a, b) => ordered(a[by], b[by], sign) || a.place - b.place);
  const names = PAGE.columns;
  const head = names.map((name) => {
    const sorted = name === by ? (sign > 0 ? "ascending" : "descending") : "none";
    const arrow = {ascending: " ▲", descending: " ▼", none: ""}[sorted];
    return element("th", {scope: "col", "aria-sort": sorted, class: isNumber(name) ? "number" : null},
      element("button", {type: "button", "data-sort": name, onclick: () => sortBy(name)}, columnLabel(name), arrow));
  });
  const body = rows.slice(0, rowsShown).map((row) => element("tr", {class: [chosen.has(row.run) ? "chosen" : "", row.excluded || ["diverged", "failed"].includes(row.state) ? "out" : ""].join(" ").trim() || null},
    ...names.map((name) => element(name === "name" ? "th" : "td", {scope: name === "name" ? "row" : null, class: isNumber(name) ? "number" : name === "why" ? "why" : null}, name === "name" ? runButton(row.run) : name === "state" ? stateText(row) : cellText(name, row[name])))));
  const more = rows.length - rowsShown;
  fill("runs-table",
    element("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of runs"},
      element("table", {class: "runs"}, element("caption", {}, `${counted(rows.length, "run")}. Press the name of a column to sort, and that of a run to choose it.`), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body))),
    more > 0 ? element("button", {type: "button", id: "more", onclick: moreRows}, `Show ${Math.min(more, PAGE_OF_ROWS)} more of ${more.toLocaleString("en")}`) : null);
}

// The next rows, with the focus on the button for further ones, or else on the table.
function moreRows() {
  rowsShown += PAGE_OF_ROWS;
  drawRuns();
  (document.getElementById("more") ?? document.querySelector("#runs-table .scroll")).focus({preventScroll: true});
}

// What isn't known comes last, whichever way is sorted.
function ordered(a, b, sign) {
  const missing = (value) => value === null || value === undefined || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  return sign * compared(a, b);
}

function isNumber(name) {
  return PAGE.numbers.includes(name);
}

function sortBy(name) {
  const [by, sign] = choice.sort;
  choice.sort = [name, by === name ? -sign : 1];
  drawRuns();
  document.querySelector(`[data-sort="${CSS.escape(name)}"]`)?.focus();
}

function runButton(id) {
  const row = PLACES.get(id);
  return element("button", {type: "button", class: "link run", "data-run": id, "aria-pressed": String(chosen.has(id)), onclick: () => toggleRun(id)}, row ? row.name : id);
}

function toggleRun(id) {
  if (chosen.has(id)) chosen.delete(id);
  else chosen.add(id);
  chooseAgain();
}

// Everything that shows which runs are chosen, with the focus where it was.
function chooseAgain() {
  keepingFocus(() => {
    drawFrontier();
    drawLimits();
    drawCurves();
    drawCells();
    drawRuns();
    drawLaw();
    drawChosen();
  });
}

function drawChosen() {
  const rows = RUNS.filter((row) => chosen.has(row.run));
  fill("chosen", rows.length ? `${counted(rows.length, "run")} chosen.` : "No run is chosen.");
  document.getElementById("copy-rows").disabled = document.getElementById("choose-none").disabled = !rows.length;
  const box = document.getElementById("where");
  box.value = commandOf(rows.length ? rows : shownRuns());
  for (box.rows = 1; box.rows < 12 && box.scrollHeight > box.clientHeight; box.rows += 1);
  fill("card", ...(rows.length === 1 ? runCard(rows[0]) : []));
}

function commandOf(rows) {
  const where = whereOf(rows);
  const family = choice.family ? ` --law ${choice.family}` : "";
  const study = PAGE.own ? "" : ` --study ${quoted(PAGE.study)}`;
  const metric = METRICS.size ? ` --metric ${quoted(choice.metric)} --x ${choice.x}` : "";
  return `scalectl fit${metric}${family}${where ? ` --where ${quoted(where)}` : ""}${study}${storeOption()}`;
}

function storeOption() {
  return PAGE.store === "results.db" ? "" : ` --store ${quoted(PAGE.store)}`;
}

// A word as a shell reads it.
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`;
}

// The shortest condition of --where that chooses exactly these runs: by their settings where these tell them, else by their ids.
function whereOf(rows) {
  if (!rows.length || rows.length === RUNS.length) return PAGE.where;
  const wanted = new Set(rows.map((row) => row.run));
  const conditions = PAGE.settings.map((name) => conditionOf(name, rows)).filter(Boolean);
  const chosenBy = (list) => RUNS.filter((row) => list.every((condition) => condition.values.has(row[condition.name])));
  const exact = (list) => chosenBy(list).length === wanted.size;
  if (!exact(conditions)) return `run in [${rows.map((row) => `'${row.run}'`).join(", ")}]`;
  let kept = conditions;
  for (const condition of conditions) {
    const fewer = kept.filter((other) => other !== condition);
    if (exact(fewer)) kept = fewer;
  }
  return [PAGE.where && `(${PAGE.where})`, ...kept.map((condition) => condition.text)].filter(Boolean).join(" and ");
}

function conditionOf(name, rows) {
  const values = new Set(rows.map((row) => row[name]));
  if (values.has(null) || values.has(undefined) || !/^[A-Za-z_][\w./@-]*$/.test(name)) return null;
  const words = [...values].map((value) => (isWhole(name, value) ? value : literal(value)));
  if (words.includes(null)) return null;
  return {name, values, text: words.length > 1 ? `${name} in [${words.join(", ")}]` : `${name} == ${words[0]}`};
}

// Whether a value is a whole number that came as text because a browser would round it.
function isWhole(name, value) {
  return typeof value === "string" && isNumber(name);
}

function literal(value) {
  if (typeof value === "number") return String(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (!value.includes("'")) return `'${value}'`;
  return value.includes('"') ? null : `"${value}"`;
}

// A cell of CSV; one that a spreadsheet would take for a formula begins with an apostrophe.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(rows) {
  const names = Object.keys(PAGE.runs).filter((name) => name !== "shared");
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((cells) => cells.map(csvCell).join(",")).join("\n") + "\n";
}

async function copy(text, button) {
  const said = button.textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = element("textarea", {});
    box.value = text;
    document.body.append(box);
    box.select();
    done = document.execCommand("copy");
    box.remove();
  }
  button.textContent = done ? "Copied" : "Not copied: select the text and copy it";
  setTimeout(() => { button.textContent = said; }, 1500);
}
