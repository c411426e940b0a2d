// The gain over the baseline, panel beside panel: every seed a dot, the mean a diamond, the interval a line.
const COLOURS = { above: "above", below: "below", even: "soft", unknown: "soft" };

/** The panels: the chosen protocol first, then the others that have the baseline; one on a narrow screen. */
function panels() {
  const others = blocksHere().filter(
    (block) => block.protocol !== state.protocol && block.cells.some((cell) => cell.method === state.baseline),
  );
  return [blockHere(), ...others.sort((one, other) => other.cells.length - one.cells.length)].slice(
    0,
    narrow() ? 1 : 4,
  );
}

/** What lies below this is drawn as an arrow at the edge. */
function lowestOf(gains) {
  const highest = Math.max(0.02, ...gains.map((gain) => gain.mean));
  return Math.max(
    -1.6 * highest - 0.02,
    Math.min(0, ...gains.flatMap((gain) => gain.seeds.map((one) => one.value))) - 0.005,
  );
}

CHARTS.gains = () => {
  const blocks = panels();
  const found = blocks.map(
    (block) =>
      new Map(block.cells.map((cell) => [cell.method, gainOf(cell, state.baseline)]).filter(([, gain]) => gain)),
  );
  const rank = (method) =>
    found[0].get(method)?.mean ?? -1 + 0.01 * mean([0, ...found.map((gains) => gains.get(method)?.mean ?? 0)]);
  const names = [...new Set(found.flatMap((gains) => [...gains.keys()]))].sort((one, other) => rank(other) - rank(one));
  if (!names.length) return `No method has a seed in common with ${cut(state.baseline)} here.`;
  const gains = found.flatMap((one) => [...one.values()]),
    lowest = lowestOf(gains);
  const highest = Math.max(0, ...gains.flatMap((gain) => gain.seeds.map((one) => one.value))); // lines end at the edge
  const data = blocks.flatMap((block, i) => panel(found[i], names, lowest, i ? { xaxis: `x${i + 1}` } : {}));
  const height = 90 + names.length * 17;
  return {
    data,
    layout: gainsLayout(blocks, names, [100 * lowest - 0.6, 100 * highest + 0.4], height),
    note: gainsNote(found),
  };
};

function gainsNote(found) {
  const intervals = found.some((gains) => [...gains.values()].some((gain) => gain.interval));
  return (
    `Points of ${MEASURES[state.metric]} above ${cut(state.baseline)} with the same seed. Dots: each seed; diamond: their mean` +
    (intervals ? `; line: ${DATA.interval}; blue: above zero, orange: below, grey: could be either.` : ".") +
    " Arrows: further left."
  );
}

function panel(gains, names, lowest, axes) {
  const rows = names.filter((name) => gains.has(name)),
    at = (value) => 100 * Math.max(lowest, value);
  const seeds = rows.flatMap((name) =>
    gains
      .get(name)
      .seeds.filter((one) => one.value >= lowest)
      .map((one) => [one.value, name]),
  );
  const tint = rows.map((name) => colour(COLOURS[verdict(gains.get(name))]));
  const lines = rows.flatMap((name) => {
    const range = gains.get(name).interval;
    return range && range[1] > lowest
      ? [
          {
            x: range.map(at),
            y: [name, name],
            mode: "lines",
            hoverinfo: "skip",
            line: { width: 2, color: colour(COLOURS[verdict(gains.get(name))]) },
            opacity: 0.75,
            ...axes,
          },
        ]
      : [];
  });
  const hover = rows.map((name) => {
    const gain = gains.get(name),
      range = gain.interval;
    return (
      `${plain(name)}<br><b>${signed(gain.mean)}</b>${range ? ` [${signed(range[0])}, ${signed(range[1])}]` : ""}<br>` +
      gain.seeds.map((one) => `seed ${one.seed}: ${signed(one.value)}`).join("<br>")
    );
  });
  return [
    {
      x: seeds.map(([value]) => 100 * value),
      y: seeds.map(([, name]) => name),
      mode: "markers",
      hoverinfo: "skip",
      marker: { size: 5, color: faded("soft", 0.4) },
      ...axes,
    },
    ...lines,
    {
      x: rows.map((name) => at(gains.get(name).mean)),
      y: rows,
      mode: "markers",
      hoverinfo: "text",
      hovertext: hover,
      customdata: rows,
      marker: {
        size: 9,
        color: tint,
        line: { width: 1, color: colour("paper") },
        symbol: rows.map((name) => (gains.get(name).mean < lowest ? "triangle-left" : "diamond")),
      },
      ...axes,
    },
  ];
}

function gainsLayout(blocks, names, range, height) {
  const layout = {
    height,
    margin: { l: 10, r: 10, t: 46, b: 10 },
    shapes: [],
    annotations: [],
    yaxis: axis({
      type: "category",
      categoryorder: "array",
      categoryarray: [...names].reverse(),
      range: [-0.7, names.length - 0.3],
      tickmode: "array",
      tickvals: names,
      ticktext: names.map(tick),
      showgrid: false,
      ticks: "",
      automargin: true,
    }),
  };
  names.forEach((name, i) => {
    if (i % 2 === 0)
      layout.shapes.push({
        type: "rect",
        xref: "paper",
        x0: 0,
        x1: 1,
        y0: names.length - 1.5 - i,
        y1: names.length - 0.5 - i,
        fillcolor: faded("card", 0.55),
        line: { width: 0 },
        layer: "below",
      });
  });
  const width = 1 / blocks.length;
  blocks.forEach((block, i) => {
    const id = i ? i + 1 : "",
      x = `x${id}`;
    layout[`xaxis${id}`] = axis({
      domain: [i * width, (i + 1) * width - (blocks.length > 1 ? 0.035 : 0)],
      anchor: "y",
      side: "top",
      range,
      zeroline: false,
      nticks: 5,
    });
    layout.shapes.push({
      type: "line",
      xref: x,
      x0: 0,
      x1: 0,
      yref: "paper",
      y0: 0,
      y1: 1,
      line: { color: colour("ink"), width: 1 },
    });
    layout.annotations.push({
      xref: `${x} domain`,
      yref: "paper",
      x: 0,
      y: 1,
      yshift: 38,
      xanchor: "left",
      showarrow: false,
      text: `<b>${plain(block.protocol, 24)}</b>`,
      font: { size: 13, color: colour(i ? "soft" : "ink") },
    });
  });
  return layout;
}

/** A name beside an axis, in its colour where it has one. */
function tick(name) {
  const style = styleOf(name);
  return style.on
    ? `<span style="color:${colour(style.colour)};font-weight:600">${plain(name, narrow() ? 16 : 24)}</span>`
    : plain(name, narrow() ? 16 : 24);
}
