// Two numbers of each method against each other: overall and mean accuracy, accuracy and cost.

/** One point a method; those in colour have their name beside them. */
function points(found, hover) {
  const style = found.map((one) => styleOf(one.cell.method));
  return {
    x: found.map((one) => one.x),
    y: found.map((one) => one.y),
    mode: "markers",
    hoverinfo: "text",
    hovertext: found.map(hover),
    cliponaxis: false,
    error_x: errors(found, "dx"),
    error_y: errors(found, "dy"),
    marker: {
      size: style.map((one) => (one.on ? 11 : 8)),
      color: style.map((one) => colour(one.colour)),
      opacity: 1,
      symbol: style.map((one) => (one.symbol === "x-thin-open" ? "cross" : one.symbol)),
      line: { width: 1, color: colour("paper") },
    },
  };
}

const errors = (found, name) => ({
  type: "data",
  array: found.map((one) => (styleOf(one.cell.method).on ? one[name] : 0)),
  color: faded("soft", 0.45),
  thickness: 1,
  width: 0,
});

/** Names beside the points in colour and beside the best few, pushed apart where they would cover each other. */
function pointLabels(found, spans, height, best) {
  const labelled = found.filter((one) => styleOf(one.cell.method).on || best.has(one.cell.method));
  const places = movedApart(labelled, (15 / height) * spans.y, (narrow() ? 0.4 : 0.12) * spans.x);
  const right = Math.max(...labelled.map((one) => one.x)) - (narrow() ? 0.3 : 0) * spans.x; // no room beyond it on a phone
  const side = (one) => (one.x > right ? { xanchor: "right", xshift: -9 } : { xanchor: "left", xshift: 9 });
  return labelled.map((one, i) => ({
    x: one.x,
    y: places[i],
    ...side(one),
    showarrow: false,
    bgcolor: faded("paper", 0.75),
    borderpad: 0,
    text: plain(one.cell.method, 18),
    font: { size: 12, color: colour(styleOf(one.cell.method).on ? styleOf(one.cell.method).colour : "soft") },
  }));
}

const bestOf = (found, count) =>
  new Set(
    [...found]
      .sort((one, other) => other.y - one.y)
      .slice(0, count)
      .map((one) => one.cell.method),
  );

CHARTS.tradeoff = () => {
  const found = inOrder(blockHere().cells)
    .map((cell) => {
      const [x, y] = ["overall", "mean"].map((metric) => statOf(cell, placeOf(metric)));
      return x && y ? { cell, x: 100 * x.mean, y: 100 * y.mean, dx: 100 * (x.std || 0), dy: 100 * (y.std || 0) } : null;
    })
    .filter(Boolean);
  const base = found.find((one) => one.cell.method === state.baseline);
  if (found.length < 2 || !base) return "Needs two methods, one of them the baseline.";
  const near = zoom(found);
  const line = (more) => ({ type: "line", line: { color: colour("soft"), width: 1, dash: "dot" }, ...more });
  const shapes = [
    line({ x0: base.x, x1: base.x, yref: "paper", y0: 0, y1: 1 }),
    line({ y0: base.y, y1: base.y, xref: "paper", x0: 0, x1: 1 }),
  ];
  const corner = (x, y, text) => ({
    xref: "paper",
    yref: "paper",
    x,
    y,
    showarrow: false,
    text,
    font: { size: 12, color: colour("soft") },
    xanchor: x ? "right" : "left",
    yanchor: y ? "top" : "bottom",
  });
  return {
    data: [
      points(
        near.kept,
        (one) => `${plain(one.cell.method)}<br>overall ${one.x.toFixed(2)}<br>mean ${one.y.toFixed(2)}`,
      ),
    ],
    layout: {
      height: 460,
      shapes,
      xaxis: axis({ title: "overall accuracy", range: near.x }),
      yaxis: axis({ title: "mean accuracy", range: near.y }),
      annotations: [
        corner(1, 1, "<i>both</i>"),
        corner(1, 0, "<i>rare classes pay</i>"),
        corner(0, 1, "<i>rare classes gain</i>"),
        ...pointLabels(near.kept, near.spans, 380, bestOf(found, 3)),
      ],
    },
    note: byId("tradeoff").querySelector(".note").dataset.text + near.left,
  };
};

/** Ranges that leave out what is far below the rest, and how many that are. */
function zoom(found) {
  const [low, down] = [floorOf(found.map((one) => one.x)), floorOf(found.map((one) => one.y))];
  const shown = (one) => styleOf(one.cell.method).on || (one.x >= low && one.y >= down);
  const kept = found.filter(shown),
    left = found.length - kept.length;
  const [x, y] = [padded(kept.map((one) => one.x)), padded(kept.map((one) => one.y))];
  return {
    x,
    y,
    kept,
    spans: { x: x[1] - x[0], y: y[1] - y[0] },
    left: left ? ` Left out, since far below: ${left === 1 ? "one method" : `${left} methods`}.` : "",
  };
}

CHARTS.cost = () => {
  const found = inOrder(blockHere().cells)
    .map((cell) => {
      const stat = statOf(cell, placeOf(state.metric)),
        passes = cell.runs.map((run) => run.passes).filter((one) => one !== null);
      return stat && passes.length
        ? { cell, x: mean(passes), y: 100 * stat.mean, dx: 0, dy: 100 * (stat.std || 0) }
        : null;
    })
    .filter(Boolean);
  if (found.length < 2) return "Needs two methods whose records count forward passes.";
  const near = zoom(found.map((one) => ({ ...one, x: 0 }))),
    kept = found.filter((one) => one.y >= near.y[0]);
  const ordered = [...kept].sort((one, other) => one.x - other.x || other.y - one.y),
    front = [];
  for (const one of ordered) if (!front.length || one.y > front[front.length - 1].y) front.push(one);
  return {
    data: [
      {
        x: front.map((one) => one.x),
        y: front.map((one) => one.y),
        mode: "lines",
        hoverinfo: "skip",
        line: { shape: "hv", color: faded("bar", 0.5), width: 2 },
      },
      points(kept, (one) => `${plain(one.cell.method)}<br>${one.y.toFixed(2)} %<br>${one.x.toFixed(1)} passes`),
    ],
    layout: {
      height: 440,
      xaxis: axis({ title: "forward passes for each face", rangemode: "tozero" }),
      yaxis: axis({ title: MEASURES[state.metric], range: near.y }),
      annotations: pointLabels(
        kept,
        { x: Math.max(...kept.map((one) => one.x)), y: near.spans.y },
        360,
        new Set(front.map((one) => one.cell.method)),
      ),
    },
    note: byId("cost").querySelector(".note").dataset.text + " Blue: nothing cheaper is better." + near.left,
  };
};
