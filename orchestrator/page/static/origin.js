// What the runs cost, and where their numbers come from.

function drawCost() {
  const models = PAGE.models.filter((model) => RUNS.some((row) => row.model === model));
  const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
  const trained = "marginal_flops" in PAGE.runs ? "marginal_flops" : "flops";
  const costs = [[trained, "FLOPs", (value) => general(value, 2)], ["device_seconds", "device time", duration], ["core_days", "core-days", (value) => general(value, 3)]].filter(([name]) => name in PAGE.runs);
  const line = (label, rows) => [label, String(rows.length), String(rows.filter((row) => row.state === "done").length), ...costs.map(([name, , text]) => text(sum(rows, name)))];
  const rows = models.map((model) => line(model ?? "not known", RUNS.filter((row) => row.model === model)));
  if (models.length > 1) rows.push(line("all", RUNS));
  const isPart = RUNS.some((row) => row.state !== "done"); // FLOPs are known of all runs, and time of those that are done
  const head = costs.map(([name, label]) => isPart ? `${label} of ${name === trained ? "all" : "those done"}` : label);
  const parts = [plainTable("By model", ["model", "runs", "done", ...head], rows)];
  if (trained === "marginal_flops") parts.push(element("p", {class: "note"}, "FLOPs count the steps of a trunk once. Device time and core-days are those of each run from its first step: the steps of a trunk count for each of its runs."));
  if (PAGE.launches.length) {
    const entries = Object.keys(PAGE.launches[0].entries);
    const others = PAGE.launches.some((launch) => launch.study !== PAGE.study);
    const launches = PAGE.launches.map((launch) => {
      const whole = Object.values(launch.entries).reduce((total, seconds) => total + seconds, 0);
      return [String(launch.launch), ...(others ? [launch.study] : []), launch.started, String(launch.slots), duration(whole), launch.goodput === null ? "--" : share(launch.goodput), ...entries.map((name) => whole ? share(launch.entries[name] / whole) : "--")];
    });
    parts.push(plainTable("By launch of this store: where the time of its slots went", ["launch", ...(others ? ["study"] : []), "started (UTC)", "slots", "slot time", "goodput", ...entries], launches, others ? 3 : 2));
  }
  if (PAGE.losses.length) parts.push(plainTable("Attempts that did not end their job", ["how", "attempts", "device time"], PAGE.losses.map((loss) => [loss.kind ? `${loss.state} (${loss.kind})` : loss.state, String(loss.attempts), duration(loss.device_seconds)])));
  fill("cost-tables", ...parts);
}

function drawOrigin() {
  const parts = [element("p", {}, `This page is of ${PAGE.made} UTC, by scalectl ${PAGE.version}${PAGE.revision ? ` at revision ${PAGE.revision.slice(0, 12)}${PAGE.revision.endsWith("-dirty") ? "-dirty" : ""}` : ""}, from ${PAGE.store}.`)];
  const shared = Object.entries(PAGE.shared).filter(([, value]) => value !== "");
  if (shared.length) parts.push(element("details", {}, element("summary", {}, `${counted(shared.length, "setting")} that all runs share`), element("dl", {class: "shared"}, ...shared.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, cellText(name, value)))))));
  if (PAGE.environments.length) {
    parts.push(plainTable("What ran the jobs", ["revision", "device", "hosts", "attempts", "first (UTC)", "packages"], PAGE.environments.map((entry) => [element("code", {}, entry.revision.slice(0, 12) || "--", entry.revision.endsWith("-dirty") ? "-dirty" : ""), entry.device, String(entry.hosts), String(entry.attempts), entry.first, element("span", {class: "packages"}, Object.entries(entry.versions).map((pair) => pair.join(" ")).join(", "))]), 9));
  }
  if (PAGE.file) parts.push(element("details", {}, element("summary", {}, "The file of the last launch"), element("pre", {tabindex: "0"}, PAGE.file)));
  fill("origin-text", ...parts);
  fill("made", `${PAGE.study} · scalectl ${PAGE.version} · ${PAGE.made} UTC`);
}
