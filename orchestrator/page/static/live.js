// The page while a launch works: it hears news of the store, and fetches the data and the curves when these have changed.

const HELD = {study: 0, curves: 0}; // the numbers of what is shown
let heardAt = 0; // when the last news came, and what they were
let latest = null;
let isDeaf = false; // whether the server says nothing any more
let source = null; // of the news, while the page is seen

const AGAIN = 5000; // milliseconds after which a server that takes no more viewers is asked again

function follow() {
  if (!PAGE.live) return;
  Object.assign(HELD, PAGE.live);
  document.addEventListener("visibilitychange", listenWhileSeen);
  setInterval(() => latest && !isDeaf && tell(latest), 1000); // what the launch does now, nobody tells a deaf page
  listenWhileSeen();
}

// A browser has six connections to a server: tabs that nobody sees leave theirs to others.
function listenWhileSeen() {
  if (document.hidden) {
    source?.close();
    source = latest = null;
    return;
  }
  if (source && source.readyState !== EventSource.CLOSED) return;
  source = new EventSource(`news${location.search}`);
  source.onmessage = (event) => hear(JSON.parse(event.data));
  source.onerror = () => {
    isDeaf = true;
    alarm("This page hears nothing from scalectl serve, which may have ended, or have too many viewers. What it shows stays as it was.");
    if (source?.readyState === EventSource.CLOSED) setTimeout(listenWhileSeen, AGAIN);
  };
}

async function hear(news) {
  heardAt = Date.now();
  isDeaf = false;
  latest = news;
  tell(news);
  keepingFocus(() => takeStates(news));
  const page = await changedPart("study", news);
  if (page) {
    keepingFocus(() => {
      take({...page, curves: PAGE.curves, live: PAGE.live});
      takeStates(latest ?? news);
      drawAll();
    });
  }
  const curves = await changedPart("curves", news);
  if (curves) {
    PAGE.curves = curves;
    drawCurves();
  }
}

// A part of the page that has changed, or null; what can't be had now is asked for again at the next news.
async function changedPart(name, news) {
  const number = news[name];
  if (number === HELD[name]) return null;
  HELD[name] = number;
  const part = await fetch(`${name}.json${location.search}`).then((answer) => (answer.ok ? answer.json() : null), () => null);
  if (!part && HELD[name] === number) HELD[name] = 0;
  return part;
}

// The states of runs as they are now, which come before the numbers of those that have ended.
function takeStates(news) {
  let isNew = false;
  for (const [run, [state, kind, step, why]] of Object.entries(news.runs ?? {})) {
    const row = PLACES.get(run);
    if (!row) continue;
    const reasons = row.excluded ? row.why : why; // an exclusion stands there
    isNew ||= row.state !== state || row.why !== reasons;
    Object.assign(row, {state, kind, step, why: reasons});
  }
  if (isNew) {
    drawCells();
    drawRuns();
  }
}

function tell(news) {
  const box = document.getElementById("live");
  box.hidden = false;
  if (!news.summary) { // the store can't be read: what is shown stays
    alarm(news.problem);
    return;
  }
  fill("summary", news.summary.join(" \u00b7 "));
  const since = (Date.now() - heardAt) / 1000;
  const launch = news.launch;
  document.getElementById("now").hidden = !launch || Boolean(launch.study);
  if (!launch) {
    fill("live", `No launch is running.${news.again ? ` ${news.again} goes on.` : ""}`);
    alarm(news.problem ?? "");
    return;
  }
  const behind = launch.behind + since;
  const left = launch.seconds_left === null ? "time left: measuring" : `${duration(launch.seconds_left)} left`;
  fill("live", [`A launch ${launch.study ? `of ${launch.study} ` : ""}is running (${launch.process})`, left, `the store is ${duration(behind)} behind`, news.goodput === null ? "" : `goodput ${share(news.goodput)} so far`].filter(Boolean).join(" \u00b7 "));
  alarm(news.problem ?? (behind > launch.silent_from ? `The launcher has written nothing for ${duration(behind)}: it may hang, or its machine may be gone. scalectl logs RUN shows what a job said last.` : ""));
  drawJobs(news.running);
}

function alarm(text) {
  const box = document.getElementById("alarm");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}

function drawJobs(jobs) {
  const rows = jobs.map((job) => {
    const part = (job.step - job.start) / Math.max(1, job.stop - job.start);
    const bar = element("progress", {max: "1", value: String(part), "aria-label": `Progress of ${job.name}`});
    return [job.name, job.slot, bar, `${job.step.toLocaleString("en")} of ${job.stop.toLocaleString("en")}`, general(job.loss, 4), rate(job.images_per_second), job.mfu === null ? "--" : share(job.mfu), String(job.attempt), duration(job.seconds_left)];
  });
  if (!rows.length) fill("jobs", element("p", {class: "nothing"}, "No job is on a slot now."));
  else fill("jobs", plainTable("Jobs on slots", ["job", "slot", "", "step", "loss", "images/s", "MFU", "attempt", "left"], rows, 3));
}

// Draws, and puts the focus back to what it was on.
function keepingFocus(redrawn) {
  const before = document.activeElement;
  const words = ["data-run", "data-sort", "data-place", "data-family"].filter((name) => before?.hasAttribute?.(name)).map((name) => `[${name}="${CSS.escape(before.getAttribute(name))}"]`);
  if (before?.dataset?.facet) words.push(`[data-facet="${CSS.escape(before.dataset.facet)}"]`);
  const place = before?.closest?.("section, form")?.id;
  redrawn();
  if (words.length && place) document.querySelector(`#${place} ${words.join("")}`)?.focus({preventScroll: true});
}
