// Class by class: recall as bars, and what is mistaken for what as matrices.
CHARTS.classes = () => {
  const block = blockHere(),
    cells = inColour(block.cells);
  if (!cells.length) return "No method in colour has a run here.";
  const data = cells.map((cell) => {
    const found = block.classes.map((_, i) => statOf(cell, recallPlace(i))),
      style = styleOf(cell.method);
    const base = cell.method === state.baseline;
    return {
      type: "bar",
      x: block.classes.map((name) => plain(name, 14)),
      y: found.map((one) => (one ? 100 * one.mean : null)),
      name: plain(cell.method, 20),
      hovertext: found.map((one, i) =>
        one ? `${plain(cell.method)}<br>${plain(block.classes[i])}: ${percent(one.mean)}` : "",
      ),
      hoverinfo: "text",
      error_y: {
        type: "data",
        array: found.map((one) => 100 * (one?.std || 0)),
        color: colour("ink"),
        thickness: 1,
        width: 0,
      },
      marker: {
        color: base ? faded("ink", 0.16) : colour(style.colour),
        line: { width: base ? 1.2 : 0, color: colour("ink") },
      },
    };
  });
  return {
    data,
    layout: {
      height: 400,
      barmode: "group",
      bargap: 0.25,
      showlegend: true,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { color: colour("ink") } },
      margin: { l: 50, r: 10, t: 40, b: 40 },
      xaxis: axis({ type: "category", showgrid: false }),
      yaxis: axis({ title: "recall, %", range: [0, 100] }),
    },
  };
};

/** The sum of the confusion matrices of some runs; null where none has one. */
function confusionOf(runs) {
  const known = runs.map((run) => run.confusion).filter((matrix) => matrix.length);
  return known.length
    ? known[0].map((row, i) => row.map((_, j) => known.reduce((sum, matrix) => sum + matrix[i][j], 0)))
    : null;
}

/** A confusion matrix as a table, shaded by the share of each row. */
function matrixOf(title, matrix, classes) {
  const short = (name) =>
    make("th", { scope: "col", title: name.slice(0, 300) }, make("bdi", {}, cut(name, 3).replace("…", "")));
  const rows = matrix.map((row, i) => {
    const all = row.reduce((sum, count) => sum + count, 0);
    return make(
      "tr",
      {},
      make("th", { scope: "row", title: classes[i].slice(0, 300) }, named(classes[i], 11)),
      ...row.map((count, j) => {
        const share = all ? count / all : 0,
          name = i === j ? "bar" : "c1";
        return make(
          "td",
          {
            title: `${cut(classes[i])} as ${cut(classes[j])}: ${count} of ${all}`,
            style: `background: color-mix(in srgb, var(--${name}) ${Math.round(60 * share ** 0.7)}%, transparent)`,
          },
          share >= 0.005 ? (100 * share).toFixed(0) : "·",
        );
      }),
    );
  });
  return make(
    "table",
    { class: "matrix" },
    make("caption", {}, title),
    make("colgroup", {}, make("col", { class: "names" })),
    make("thead", {}, make("tr", {}, make("td", {}), ...classes.map(short))),
    make("tbody", {}, ...rows),
  );
}

function showConfusion() {
  const block = blockHere(),
    found = inColour(block.cells)
      .map((cell) => [cell, confusionOf(cell.runs)])
      .filter(([, matrix]) => matrix);
  byId("confusion").hidden = !found.length;
  byId("confusion")
    .querySelector(".matrices")
    .replaceChildren(...found.map(([cell, matrix]) => matrixOf(named(cell.method, 40), matrix, block.classes)));
}
