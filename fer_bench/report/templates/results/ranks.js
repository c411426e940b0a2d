// The critical-difference diagram: mean rank over protocols and datasets; bars join what is not told apart.
CHARTS.ranks = () => {
  const found =
    DATA.ranks.find((one) => one.metric === state.metric && one.setting === state.setting) ||
    DATA.ranks.find((one) => one.metric === state.metric);
  if (!found)
    return `Needs three methods under three protocols that all of them have, in ${MEASURES.overall} or ${MEASURES.mean}.`;
  const count = found.names.length,
    y = found.names.map((_, i) => i),
    half = found.difference / 2;
  const data = found.groups.map(([first, last], i) => ({
    x: Array(2).fill(Math.max(...found.ranks) + 0.03 * count * (1.5 + (i % 6))),
    y: [first - 0.25, last + 0.25],
    mode: "lines",
    hoverinfo: "skip",
    line: { width: 4, color: colour("others") },
  }));
  data.push({
    x: found.ranks,
    y,
    mode: "markers",
    hoverinfo: "text",
    hovertext: found.names.map((name, i) => `${plain(name)}: mean rank ${found.ranks[i].toFixed(2)}`),
    error_x: { type: "constant", value: half, color: faded("soft", 0.45), thickness: 1.5, width: 0 },
    marker: {
      size: 9,
      symbol: "diamond",
      color: found.names.map((name) => colour(styleOf(name).on ? styleOf(name).colour : "soft")),
    },
  });
  return {
    data,
    layout: {
      height: 90 + 17 * count,
      margin: { l: 10, r: 20, t: 40, b: 10 },
      xaxis: axis({ title: "mean rank (1: best)", side: "top", zeroline: false }),
      yaxis: axis({
        tickvals: y,
        ticktext: found.names.map(tick),
        range: [count - 0.4, -0.6],
        showgrid: false,
        zeroline: false,
      }),
    },
    note:
      `Mean rank in ${MEASURES[found.metric]} over ${found.title}. Friedman p ${found.p < 0.001 ? "< .001" : `= ${found.p.toFixed(3)}`}. ` +
      `Lines: half the critical difference (Nemenyi, .05: ${found.difference.toFixed(2)}) to each side; methods whose lines overlap are not told apart, nor are those that a bar on the right joins.`,
  };
};
