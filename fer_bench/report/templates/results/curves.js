// Numbers epoch by epoch: test accuracy and training loss; wrong labels memorised and corrected, quality of weights.
const PERCENT = ["overall", "mean", "macro_f1", "ece", "memorised", "corrected"];

/** Traces and end labels of one measure of a block's cells over the epochs. */
function overEpochs(name, axes, height, pale) {
  const scale = PERCENT.includes(name) ? 100 : 1;
  const lines = inOrder(blockHere().cells)
    .filter((cell) => pale || styleOf(cell.method).on)
    .map((cell) => ({ cell, method: cell.method, curve: curveOf(cell, name) }))
    .filter((line) => line.curve);
  const data = lines.flatMap(({ method, curve }) => {
    const style = styleOf(method),
      y = curve.mean.map((value) => scale * value);
    const edge = (sign) => y.map((value, i) => value + sign * scale * curve.std[i]);
    const trace = {
      x: curve.epoch,
      y,
      mode: "lines",
      hoverinfo: style.on ? "text" : "skip",
      hovertext: y.map((value, i) => `${plain(method)}<br>epoch ${curve.epoch[i]}: ${value.toFixed(2)}`),
      line: {
        color: style.on ? colour(style.colour) : faded("others", 0.45),
        width: style.on ? 2.5 : 1,
        dash: style.dash,
      },
      ...axes,
    };
    return style.on ? [band(curve.epoch, edge(-1), edge(1), style.colour, axes), trace] : [trace];
  });
  const marked = lines.filter((line) => styleOf(line.method).on);
  const ends = marked.map(({ method, curve }) => ({ method, x: curve.epoch.at(-1), y: scale * curve.mean.at(-1) }));
  const all = marked.flatMap(({ curve }) =>
    curve.mean.flatMap((value, i) => [-1, 1].map((sign) => scale * (value + sign * curve.std[i]))),
  );
  const range = all.length ? padded(all, 0.04) : [0, 1];
  const last = Math.max(2, ...lines.flatMap(({ curve }) => curve.epoch));
  return {
    data,
    range,
    epochs: [1, last],
    any: marked.length,
    labels: endLabels(ends, range, height, { xref: axes.xaxis, yref: axes.yaxis }),
  };
}

/** Panels of measures over the epochs, side by side, or below each other on a narrow screen. */
function epochPanels(measures, pale) {
  const found = measures
    .map(([name, title], i) => ({ title, name, i }))
    .filter(({ name }) => overEpochs(name, {}, 300, false).any);
  if (!found.length) return null;
  const columns = narrow() ? 1 : Math.min(2, found.length),
    rows = Math.ceil(found.length / columns);
  const data = [],
    layout = { height: 60 + rows * (rows > 1 ? 290 : 350), annotations: [], margin: { l: 52, r: 100, t: 30, b: 44 } };
  found.forEach(({ name, title }, i) => {
    const id = i ? i + 1 : "";
    const axes = { xaxis: `x${id}`, yaxis: `y${id}` };
    const [column, row] = [i % columns, Math.floor(i / columns)];
    const drawn = overEpochs(name, axes, 260, pale);
    const gap = 0.3 / rows;
    data.push(...drawn.data);
    layout[`xaxis${id}`] = axis({
      title: row === rows - 1 || i + columns >= found.length ? "epoch" : "",
      anchor: axes.yaxis,
      zeroline: false,
      range: drawn.epochs,
      domain: columns === 1 ? [0, 1] : [column * 0.57, column * 0.57 + 0.43],
    });
    layout[`yaxis${id}`] = axis({
      anchor: axes.xaxis,
      zeroline: false,
      range: drawn.range,
      domain: [1 - (row + 1) / rows + (row < rows - 1 ? gap : 0), 1 - row / rows],
    });
    layout.annotations.push(...drawn.labels, {
      xref: `${axes.xaxis} domain`,
      yref: `${axes.yaxis} domain`,
      x: 0,
      y: 1,
      yshift: 20,
      xanchor: "left",
      showarrow: false,
      text: `<b>${title}</b>`,
      font: { size: 13, color: colour("ink") },
    });
  });
  return { data, layout };
}

CHARTS.curves = () =>
  epochPanels(
    [
      [state.metric, `${MEASURES[state.metric]} on the test faces, %`],
      ["loss", "training loss"],
    ],
    true,
  ) || "These records hold no curves.";

CHARTS.diagnosis = () =>
  epochPanels(
    [
      ["memorised", "memorised, %"],
      ["corrected", "corrected, %"],
      ["weight_auroc", "weight finds wrong labels, AUROC"],
      ["weight_ambiguity", "weight and ambiguity, rank correlation"],
    ],
    false,
  ) ||
  "No wrong labels are known here, and no method in colour weights faces: choose another protocol or other methods.";
