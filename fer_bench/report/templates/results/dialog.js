// The runs of one cell: numbers, the command that repeats them, curve, confusion, further tests, spec, environment.
function openRuns(cell) {
  byId("runs-title").replaceChildren(named(cell.method, 60), ` · ${cut(cell.block.protocol)}`);
  showRuns(cell, null);
  byId("runs").showModal();
  byId("runs").scrollTop = 0;
  drawRunCurve(cell, null);
}

/** Show one run of a cell, or all of them together (null). */
function showRuns(cell, run) {
  const runs = run ? [run] : cell.runs,
    matrix = confusionOf(runs);
  const tab = (one, title) =>
    make(
      "button",
      {
        type: "button",
        "aria-pressed": String(one === run),
        onclick: () => {
          showRuns(cell, one);
          drawRunCurve(cell, one);
        },
      },
      title,
    );
  const name = (one) => (one.fold ? `seed ${one.seed}, fold ${one.fold}` : `seed ${one.seed}`);
  put(
    byId("runs-body"),
    make("p", { class: "soft" }, named(cell.setting.name, 90)),
    whole(cell.method),
    make(
      "div",
      { class: "tabs", role: "group", "aria-label": "Runs" },
      tab(null, `all ${cell.runs.length} runs`),
      ...cell.runs.map((one) => tab(one, name(one))),
    ),
    make(
      "div",
      { class: "two" },
      make(
        "div",
        {},
        make("h3", {}, "Numbers"),
        numbersOf(cell, runs),
        make("h3", {}, "The same again"),
        ...commandsOf(cell, run),
      ),
      make("div", {}, make("h3", {}, "Test accuracy by epoch"), make("div", { id: "run-curve" })),
    ),
    ...(matrix
      ? [make("h3", {}, "Confusion"), make("div", { class: "matrices" }, matrixOf("", matrix, cell.block.classes))]
      : []),
    ...furtherOf(runs),
    ...notesOf(cell),
    make("h3", {}, "Specification"),
    make(
      "div",
      { class: "two" },
      ...["method", "protocol", "recipe", "dataset", "code"].map((part) => partOf(runs[0], part)),
    ),
    make("h3", {}, "Environment"),
    partOf(runs[0], "environment", run ? "" : `of run ${runs[0].id}`),
  );
}

/** A long name in full. */
const whole = (name) =>
  [...name].length > 60
    ? make("details", {}, make("summary", {}, "the whole name"), make("p", { class: "long" }, make("bdi", {}, name)))
    : null;

function numbersOf(cell, runs) {
  const rules = ["last", "best", "val"].filter((rule) => rule in runs[0].epochs);
  const titles = { last: "last epoch", best: "best on test", val: "best on held-out" };
  const rows = DATA.metrics.map((metric, place) => [
    MEASURES[metric],
    ...rules.map((rule) => {
      const values = runs.map((run) => valueOf(cell, run, place, rule)).filter((value) => value !== null),
        std = spread(values);
      const show = metric === "nll" ? (value) => value.toFixed(3) : percent;
      return values.length ? `${show(mean(values))}${std === null ? "" : ` ± ${show(std)}`}` : "--";
    }),
  ]);
  rows.push(["epoch", ...rules.map((rule) => [...new Set(runs.map((run) => run.epochs[rule]))].join(", "))]);
  const seconds = runs.map((run) => run.seconds).filter((one) => one !== null);
  if (seconds.length) rows.push(["seconds", mean(seconds).toFixed(0), ...rules.slice(1).map(() => "")]);
  return table(["", ...rules.map((rule) => titles[rule])], rows);
}

function commandsOf(cell, run) {
  const verify = `python run_bench.py verify ${(run || cell.runs[0]).id}`;
  const shown = (text) => make("pre", {}, text);
  return [
    shown(cell.command),
    make(
      "p",
      { class: "soft" },
      "A run again, compared bit for bit; add the --results folder that it lies in, and --data-root where its dataset needs one:",
    ),
    shown(verify),
  ];
}

function furtherOf(runs) {
  const found = new Map();
  for (const [kind, name, overall, mean_] of runs.flatMap((run) => run.further)) {
    const key = `${kind}: ${name}`;
    found.set(key, [...(found.get(key) || []), [overall / FINE, mean_ / FINE]]);
  }
  if (!found.size) return [];
  return [
    make("h3", {}, "Further tests"),
    table(
      ["test", "overall", "mean"],
      [...found].map(([key, values]) => [
        named(key, 60),
        percent(mean(values.map(([one]) => one))),
        percent(mean(values.map(([, one]) => one))),
      ]),
    ),
  ];
}

function notesOf(cell) {
  const notes = [
    cell.trained ? `Trained on (faces; wrong labels; largest class over smallest): ${cell.trained}.` : "",
    cell.facts.paper ? `Source: ${cell.facts.paper}.` : "",
    ...cell.facts.notes,
  ].filter(Boolean);
  return notes.length
    ? [make("h3", {}, "To know"), make("ul", {}, ...notes.map((note) => make("li", {}, noteOf(note))))]
    : [];
}

/** A note, cut with the rest behind a click. */
function noteOf(note) {
  return [...note].length <= 400
    ? make("bdi", {}, note)
    : make("details", {}, make("summary", {}, named(note, 200)), make("p", { class: "long" }, make("bdi", {}, note)));
}

/** One part of a run's specification as pairs of key and value. */
function partOf(run, part, about = "") {
  const pairs = [];
  const walk = (value, path) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path ? `${path}.${key}` : key);
    } else if (value !== null && value !== "")
      pairs.push([
        path,
        Array.isArray(value)
          ? value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(", ")
          : String(value),
      ]);
  };
  walk(DATA.pool[run.parts[part]], "");
  const rows = pairs.map(([key, value]) =>
    make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, noteOf(value))),
  );
  return make(
    "table",
    { class: "pairs" },
    make("caption", { class: "soft", style: "text-align: left" }, part, about ? ` ${about}` : ""),
    make("tbody", {}, ...rows),
  );
}

/** Overall (ink) and mean (accent) accuracy by epoch, every seed a line. */
function drawRunCurve(cell, run) {
  if (!window.Plotly) return;
  const data = cell.runs
    .filter((one) => (!run || one === run) && one.curve.epoch)
    .flatMap((one) =>
      [
        ["overall", "bar"],
        ["mean", "c1"],
      ].map(([name, tint]) => ({
        x: one.curve.epoch,
        y: (one.curve[name] || []).map((value) => value / 100),
        mode: "lines",
        line: { color: colour(tint), width: 2, dash: name === "mean" ? "dot" : "solid" },
        opacity: run ? 1 : 0.65,
        hoverinfo: "text",
        hovertext: (one.curve[name] || []).map(
          (value, i) => `seed ${one.seed}, epoch ${one.curve.epoch[i]}<br>${name} ${(value / 100).toFixed(2)}`,
        ),
      })),
    );
  if (!data.length) {
    byId("run-curve").replaceChildren("These records hold no curves.");
    return;
  }
  const label = (text, y, tint) => ({
    xref: "paper",
    yref: "paper",
    x: 1,
    y,
    xanchor: "right",
    showarrow: false,
    text,
    font: { color: colour(tint) },
  });
  Plotly.react(
    byId("run-curve"),
    data,
    layoutOf({
      height: 300,
      xaxis: axis({ title: "epoch", zeroline: false }),
      yaxis: axis({ title: "%", zeroline: false }),
      annotations: [label("overall", 0.12, "bar"), label("mean (dotted)", 0.03, "c1")],
    }),
    CONFIG,
  );
}

function listenToDialog() {
  byId("close").onclick = () => byId("runs").close();
  byId("runs").onclick = (event) => {
    if (event.target === byId("runs")) byId("runs").close();
  };
}
