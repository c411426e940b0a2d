// Accuracy against the share of wrong labels, and against the factor of imbalance, in two panels.

/** The two panels: what a block is placed by, or null where it belongs to neither. */
const PANELS = [
  {
    title: "wrong labels, %",
    place: (block) => (block.factor ? null : !block.noise ? 0 : block.noise === "symmetric" ? 100 * block.rate : null),
  },
  { title: "imbalance factor (log)", log: true, place: (block) => (block.noise ? null : block.factor || 1) },
];
const plainLabels = (block) => block.noise || block.factor || block.protocol === "clean";

CHARTS.strength = () => {
  const shown = PANELS.map((one) => ({
    ...one,
    blocks: blocksHere()
      .filter((block) => plainLabels(block) && one.place(block) !== null)
      .sort((first, second) => one.place(first) - one.place(second)),
  })).filter((one) => new Set(one.blocks.map(one.place)).size > 1);
  if (!shown.length) return "Needs runs of one setting with two shares of wrong labels or two factors of imbalance.";
  const data = [],
    layout = { height: 430, annotations: [], margin: { l: 56, r: 90, t: 16, b: 50 } },
    rows = narrow() && shown.length > 1;
  shown.forEach((one, i) => {
    const id = i ? i + 1 : "",
      axes = { xaxis: `x${id}`, yaxis: `y${id}` },
      width = 1 / shown.length;
    const lines = linesOf(one);
    data.push(...lines.flatMap((line) => strengthTraces(line, axes)));
    const marked = lines.filter((line) => styleOf(line.method).on);
    const range = padded(
      [...(marked.length ? marked : lines).flatMap((line) => line.y), Math.max(...lines.flatMap((line) => line.y))],
      0.1,
    );
    layout[`xaxis${id}`] = axis({
      title: one.title,
      type: one.log ? "log" : "linear",
      anchor: `y${id}`,
      zeroline: false,
      range: padded(
        one.blocks.map((block) => (one.log ? Math.log10(one.place(block)) : one.place(block))),
        0.03,
      ),
      domain: rows ? [0, 1] : [i * width, (i + 1) * width - (i < shown.length - 1 ? 0.14 : 0)],
      tickvals: [...new Set(one.blocks.map(one.place))],
      ticktext: [
        ...new Set(
          one.blocks.map((block) => (one.log && !block.factor ? "clean" : String(+one.place(block).toFixed(1)))),
        ),
      ],
    });
    layout[`yaxis${id}`] = axis({
      title: i && !rows ? "" : `${MEASURES[state.metric]}, %`,
      anchor: `x${id}`,
      range,
      domain: rows ? [i ? 0 : 0.58, i ? 0.42 : 1] : [0, 1],
    });
    layout.annotations.push(
      ...endLabels(
        marked.map((line) => ({
          x: one.log ? Math.log10(line.x.at(-1)) : line.x.at(-1),
          y: line.y.at(-1),
          method: line.method,
        })),
        range,
        rows ? 260 : 360,
        { xref: axes.xaxis, yref: axes.yaxis },
      ),
    );
  });
  if (rows) layout.height = 700;
  return { data, layout };
};

/** One line a method that has two points or more, pale ones first. */
function linesOf(panelHere) {
  const lines = new Map();
  for (const block of panelHere.blocks) {
    for (const cell of block.cells) {
      const found = statOf(cell, placeOf(state.metric));
      if (!found) continue;
      const line = lines.get(cell.method) || { method: cell.method, x: [], y: [], std: [] };
      line.x.push(panelHere.place(block));
      line.y.push(100 * found.mean);
      line.std.push(100 * (found.std || 0));
      lines.set(cell.method, line);
    }
  }
  return inOrder([...lines.values()].filter((line) => line.x.length > 1));
}

function strengthTraces(line, axes) {
  const style = styleOf(line.method),
    edge = (sign) => line.y.map((y, i) => y + sign * line.std[i]);
  const trace = {
    x: line.x,
    y: line.y,
    mode: style.on ? "lines+markers" : "lines",
    hoverinfo: style.on ? "text" : "skip",
    hovertext: line.y.map((y) => `${plain(line.method)} ${y.toFixed(2)}`),
    cliponaxis: false,
    line: {
      color: style.on ? colour(style.colour) : faded("others", 0.5),
      width: style.on ? 2.5 : 1,
      dash: style.dash,
    },
    marker: { size: 8, symbol: style.symbol === "x-thin-open" ? "circle" : style.symbol },
    ...axes,
  };
  return style.on ? [band(line.x, edge(-1), edge(1), style.colour, axes), trace] : [trace];
}
