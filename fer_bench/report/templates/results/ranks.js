// The critical-difference diagram: mean rank over protocols and datasets; bars join what is not told apart.
CHARTS.ranks = () => {
  const here = DATA.ranks.filter((one) => one.metric === state.metric);
  const found = here.find((one) => one.setting === state.setting) || here.find((one) => one.setting === null);
  if (!found) return "Needs overall or mean accuracy of three methods under two protocols that all of them have.";
  const count = found.names.length;
  const y = found.names.map((_, i) => i);
  const data = groupBars(found, Math.max(...found.ranks));
  const right = Math.max(...found.ranks, ...data.flatMap((bar) => bar.x)) + 0.02 * count;
  data.push({
    x: found.ranks,
    y,
    mode: "markers",
    hoverinfo: "text",
    hovertext: found.names.map((name, i) => `${plain(name)}: mean rank ${found.ranks[i].toFixed(2)}`),
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
      xaxis: axis({ title: "mean rank (1: best)", side: "top", zeroline: false, range: [1 - 0.02 * count, right] }),
      yaxis: axis({
        tickvals: y,
        ticktext: found.names.map(tick),
        range: [count - 0.4, -0.6],
        showgrid: false,
        zeroline: false,
      }),
    },
    note: ranksNote(found),
  };
};

function ranksNote(found) {
  const p = found.p < 0.001 ? "< .001" : `= ${found.p.toFixed(3)}`;
  const where = found.setting === null ? "datasets and protocols" : "protocols";
  return (
    `Mean rank in ${MEASURES[found.metric]} over the ${found.cases} ${where} that most methods have; methods that lack ` +
    `one are left out. Bars on the right join what the critical difference of ${found.difference.toFixed(1)} ` +
    `(Nemenyi, .05) does not tell apart. Friedman: p ${p}.`
  );
}

/** The bars at the right, in as many columns as keep bars that overlap apart. */
function groupBars(found, right) {
  const ends = []; // the last place of the latest bar of each column
  return found.groups.map(([first, last]) => {
    const free = ends.findIndex((end) => end < first);
    const column = free < 0 ? ends.length : free;
    ends[column] = last;
    const x = right + 0.035 * found.names.length * (column + 1.2);
    const line = { width: 4, color: colour("pale") };
    return { x: [x, x], y: [first - 0.25, last + 0.25], mode: "lines", hoverinfo: "skip", line };
  });
}
