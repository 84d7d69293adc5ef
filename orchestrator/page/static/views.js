// The figures on the page: drawn once, then given new rows; drawn again where their axes or looks change.

const VIEWS = new Map(); // by id: the key of the specification, the promise of its view
const HANDLERS = {click: (item) => item?.datum?.run && toggleRun(item.datum.run)};

function draw(id, spec, data, prepare = () => {}) {
  const box = document.getElementById(id);
  const key = JSON.stringify(spec);
  const before = VIEWS.get(id);
  if (before?.key === key) {
    before.latest = data;
    before.view.then((view) => before.latest === data && refill(view, data));
    return;
  }
  before?.view.then((view) => view.finalize());
  const target = element("div", {class: "vega"});
  box.style.minHeight = `${spec.height ?? 0}px`;
  box.replaceChildren(target);
  const started = {key, latest: data};
  const whole = {...spec, datasets: Object.fromEntries(Object.keys(data).map((name) => [name, []]))};
  started.view = vegaEmbed(target, whole, {mode: "vega-lite", ast: true, actions: false, renderer: isMany() ? "canvas" : "svg", tooltip: showTip, hover: false})
    .then(async ({view}) => {
      view.addEventListener("click", (event, item) => HANDLERS.click(item));
      await refill(view, started.latest);
      prepare(view);
      return view;
    });
  VIEWS.set(id, started);
}

async function refill(view, data) {
  for (const [name, rows] of Object.entries(data)) view.data(name, rows);
  await view.runAsync();
}

function redraw(id) {
  const before = VIEWS.get(id);
  if (before) before.key = "";
}

function redrawAll() {
  for (const id of VIEWS.keys()) redraw(id);
}

function nothing(id, reason) {
  VIEWS.get(id)?.view.then((view) => view.finalize());
  VIEWS.delete(id);
  const box = document.getElementById(id);
  box.style.minHeight = "";
  box.replaceChildren(element("p", {class: "nothing"}, reason));
}

async function allDrawn() {
  await Promise.all([...VIEWS.values()].map((started) => started.view));
}

// The card of a run beside the pointer.
function showTip(handler, event, item, run) {
  const tip = document.getElementById("tip");
  const row = PLACES.get(String(run ?? ""));
  tip.hidden = !row;
  if (!row) return;
  tip.replaceChildren(...runCard(row));
  const width = tip.offsetWidth, height = tip.offsetHeight;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${Math.max(4, event.clientY + 14 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 14)}px`;
}

function runCard(row) {
  const terms = [];
  const say = (name, text) => text && terms.push(element("dt", {}, name), element("dd", {}, text));
  const ends = interval(choice.metric, row);
  const measured = metricValue(choice.metric, row[choice.metric]);
  if (measured !== "--") say(choice.metric, ends ? `${measured} (${metricValue(choice.metric, ends[0])} to ${metricValue(choice.metric, ends[1])} by ${counted(imagesOf(choice.metric, row), "test image")})` : measured);
  say("state", stateText(row));
  for (const name of PAGE.card) say(columnLabel(name), cellText(name, row[name]));
  return [element("strong", {}, row.name), element("dl", {}, ...terms)];
}

function stateText(row) {
  const words = [row.kind && row.state === "failed" ? `${row.state} (${row.kind})` : row.state];
  if (row.excluded) words.push("excluded");
  return words.join(", ");
}
