// The main table: every cell of the records, sorted and filtered; a row opens its runs.
const view = { sort: "value", up: false, search: "", family: "", scope: "block", columns: false, all: false };
const MOST_ROWS = 200;
const LOWER_IS_BETTER = ["ece"];

const accuracy = (metric) => ({
  of: (cell) => statOf(cell, placeOf(metric))?.mean ?? null,
  show: (cell) => withSpread(statOf(cell, placeOf(metric))),
});
const text = (of) => ({ text: true, of, show: (cell) => named(of(cell)) });
const COLUMNS = [
  ["dataset", "dataset", text((cell) => cell.setting.dataset)],
  ["protocol", "protocol", text((cell) => cell.block.protocol)],
  ["family", "family", text((cell) => cell.facts.family)],
  ["recipe", "recipe", text((cell) => cell.setting.recipe)],
  ["weights", "weights", text((cell) => cell.setting.weights)],
  ["track", "track", text((cell) => cell.setting.track)],
  ["rule", "epoch", text((cell) => (state.rule === "auto" ? cell.rule : state.rule))],
  [
    "seeds",
    "seeds",
    {
      of: (cell) => new Set(cell.runs.map((run) => run.seed)).size,
      show: (cell) => String(new Set(cell.runs.map((run) => run.seed)).size),
    },
  ],
  ["value", "", null], // the chosen measure, with a strip of its seeds
  [
    "gain",
    "gain",
    {
      of: (cell) => gainOf(cell, state.baseline)?.mean ?? null,
      show: (cell) => gainText(gainOf(cell, state.baseline)),
    },
  ],
  ...["overall", "mean", "macro_f1", "ece"].map((metric) => [
    metric,
    { overall: "overall", mean: "mean", macro_f1: "macro-F1", ece: "ECE" }[metric],
    accuracy(metric),
  ]),
  ["passes", "passes", { of: (cell) => cell.runs[0].passes, show: (cell) => cell.runs[0].passes?.toFixed(1) ?? "--" }],
];

function withSpread(found) {
  if (!found) return "--";
  return make(
    "span",
    {},
    percent(found.mean),
    found.std === null ? null : make("small", {}, ` ± ${percent(found.std)}`),
  );
}

function gainText(gain) {
  if (!gain) return "--";
  const kind = { above: "up", below: "down" }[verdict(gain)] || null;
  const range = gain.interval ? make("small", {}, ` [${signed(gain.interval[0])}, ${signed(gain.interval[1])}]`) : null;
  return make("span", {}, make("span", { class: kind }, signed(gain.mean)), range);
}

/** The rows that are asked for, sorted. */
function rowsHere() {
  const wanted = view.search.trim().toLowerCase();
  const here = CELLS.filter(
    (cell) =>
      (view.scope === "all" || cell.block.setting === state.setting) &&
      (view.scope !== "block" || cell.block.protocol === state.protocol) &&
      (!view.family || cell.facts.family === view.family) &&
      (!wanted || cell.method.toLowerCase().includes(wanted)),
  );
  const of = columnOf(view.sort).of,
    key = new Map(here.map((cell) => [cell, of(cell)]));
  const order = (one, other) => (typeof one === "string" ? natural(one, other) : one - other);
  return here.sort((one, other) => {
    const [mine, its] = [key.get(one), key.get(other)];
    if (mine === null || its === null) return (mine === null) - (its === null);
    return (view.up ? 1 : -1) * order(mine, its) || natural(one.method, other.method);
  });
}

function columnOf(id) {
  if (id === "method") return text((cell) => cell.method);
  if (id === "value") return accuracy(state.metric);
  return COLUMNS.find(([name]) => name === id)[2];
}

/** Columns worth showing: those whose words differ, and all numbers; the chosen measure has its own. */
function columnsHere(cells) {
  const same = (id) => new Set(cells.map(columnOf(id).of)).size < 2;
  return COLUMNS.filter(
    ([id]) =>
      id !== state.metric &&
      !(narrow() && id === "family" && !view.columns) &&
      (view.columns || (!columnOf(id).text && id !== "seeds") || !same(id)),
  ).map(([id, head]) => [id, id === "value" ? MEASURES[state.metric] : head]);
}

/** What all rows share, said once. */
function constants(cells) {
  const words = COLUMNS.filter(([id]) => id !== "value" && (columnOf(id).text || id === "seeds")).map(([id, head]) => [
    head,
    [...new Set(cells.map(columnOf(id).of))],
  ]);
  const shared = view.columns ? [] : words.filter(([, values]) => values.length === 1 && values[0] !== "");
  return [
    `${cells.length} ${cells.length === 1 ? "row" : "rows"}.`,
    ...shared.flatMap(([head, [value]], i) => [i ? ", " : " All: ", `${head} `, named(String(value))]),
  ];
}

function showTable() {
  const cells = rowsHere(),
    columns = columnsHere(cells);
  byId("constant").replaceChildren(...constants(cells));
  const head = (id, title) =>
    make(
      "th",
      {
        scope: "col",
        class: columnOf(id).text ? "text" : null,
        "aria-sort": view.sort === id ? (view.up ? "ascending" : "descending") : null,
      },
      make("button", { type: "button", "data-sort": id, onclick: () => sortBy(id) }, title),
    );
  byId("rows").tHead.replaceChildren(
    make("tr", {}, head("method", "method"), ...columns.map(([id, title]) => head(id, title))),
  );
  const scale = scaleOf(cells),
    shown = view.all ? cells : cells.slice(0, MOST_ROWS);
  byId("rows").tBodies[0].replaceChildren(...shown.map((cell) => rowOf(cell, columns, scale)));
  byId("more").hidden = shown.length === cells.length;
  byId("more").textContent = `show all ${cells.length} rows`;
}

function rowOf(cell, columns, scale) {
  const style = styleOf(cell.method);
  const name = make(
    "button",
    { type: "button", title: cell.facts.paper.slice(0, 300) || null, onclick: () => openRuns(cell) },
    named(cell.method, 30),
  );
  const first = make(
    "th",
    { scope: "row" },
    style.on && cell.method !== state.baseline
      ? make("span", { class: "dot", style: `background: var(--${style.colour}); margin-right: .45rem` })
      : null,
    name,
    cell.facts.mark,
  );
  return make(
    "tr",
    {
      class: cell.method === state.baseline ? "baseline" : null,
      onclick: (event) => {
        if (!event.target.closest("button")) openRuns(cell);
      },
    },
    first,
    ...columns.map(([id]) =>
      make(
        "td",
        { class: columnOf(id).text ? "text" : null },
        columnOf(id).show(cell),
        id === "value" ? strip(cell, scale) : null,
      ),
    ),
  );
}

/** The range of the chosen measure over all rows, without what is far below. */
function scaleOf(cells) {
  const all = cells.flatMap((cell) => statOf(cell, placeOf(state.metric))?.values ?? []);
  return all.length ? [floorOf(all), Math.max(...all)] : [0, 1];
}

/** Every seed as a dot, the mean as a line. */
function strip(cell, [low, high]) {
  const found = statOf(cell, placeOf(state.metric));
  if (!found) return null;
  const x = (value) => (4 + 102 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))).toFixed(1);
  return make(
    "svg",
    { viewBox: "0 0 110 14", "aria-hidden": "true" },
    make("line", { x1: 2, x2: 108, y1: 7, y2: 7, stroke: "var(--line)" }),
    ...found.values.map((value) =>
      make("circle", { cx: x(value), cy: 7, r: 2.6, fill: "var(--soft)", "fill-opacity": 0.55 }),
    ),
    make("line", { x1: x(found.mean), x2: x(found.mean), y1: 1.5, y2: 12.5, stroke: "var(--bar)", "stroke-width": 2 }),
  );
}

function sortBy(id) {
  const up =
    view.sort === id ? !view.up : Boolean(columnOf(id).text) || LOWER_IS_BETTER.includes(id) || id === "method";
  Object.assign(view, { sort: id, up });
  showTable();
  byId("rows").tHead.querySelector(`[data-sort="${id}"]`)?.focus();
}

function listenToTable() {
  fill(
    byId("family"),
    [["", "all"], ...[...new Set(DATA.methods.map((one) => one.family))].sort().map((one) => [one, one])],
    "",
  );
  const change = (name) => (event) => {
    view[name] = event.target.type === "checkbox" ? event.target.checked : event.target.value;
    showTable();
  };
  byId("search").oninput = change("search");
  for (const name of ["family", "scope", "columns"]) byId(name).onchange = change(name);
  byId("more").onclick = () => {
    view.all = true;
    showTable();
  };
}
