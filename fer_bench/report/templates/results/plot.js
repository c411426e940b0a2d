// Plotly as every chart uses it: the page's colours, drawn when it comes into view, drawn again when a choice changes.
const CHARTS = {}; // id -> function that returns {data, layout, note} or a sentence that says why there is nothing
const dirty = new Set();
const seen = new Set();

/** Text for Plotly, which reads some tags and entities in texts: all of it shown as it is. */
const plain = (text, most = 28) =>
  cut(text, most).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\$/g, "&#36;");

/** An axis in the page's style. */
const axis = (more = {}) => ({
  gridcolor: colour("grid"),
  zerolinecolor: colour("line"),
  linecolor: colour("line"),
  tickfont: { size: 12, color: colour("soft") },
  automargin: true,
  fixedrange: true,
  ...more,
  title: { text: more.title || "", font: { size: 13, color: colour("soft") }, standoff: 8 },
});

const narrow = () => window.innerWidth < 700;

function layoutOf(more) {
  return {
    font: { family: "system-ui, sans-serif", size: 13, color: colour("ink") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 50, r: 20, t: 16, b: 44 },
    showlegend: false,
    hovermode: "closest",
    dragmode: false,
    height: 430,
    hoverlabel: {
      bgcolor: colour("card"),
      bordercolor: colour("line"),
      align: "left",
      font: { color: colour("ink"), family: "system-ui, sans-serif" },
    },
    ...more,
  };
}

const CONFIG = {
  displaylogo: false,
  responsive: true,
  doubleClick: false,
  modeBarButtons: [["toImage"]],
  displayModeBar: "hover",
  toImageButtonOptions: { format: "svg", scale: 1 },
};

/** Draw one chart; a section without anything to show says why. */
function draw(id) {
  dirty.delete(id);
  const section = byId(id),
    place = section.querySelector(".plot"),
    found = CHARTS[id]();
  const empty = typeof found === "string";
  place.classList.toggle("empty", empty);
  if (empty) {
    Plotly.purge(place);
    place.replaceChildren(found);
    return;
  }
  if (!place.classList.contains("js-plotly-plot")) place.replaceChildren();
  if (found.note) section.querySelector(".note").textContent = found.note;
  Plotly.react(place, found.data, layoutOf(found.layout), CONFIG);
}

/** Draw what is in view now, the rest when it comes into view. */
function drawSeen() {
  if (!window.Plotly) return;
  for (const id of [...dirty]) if (seen.has(id)) draw(id);
}

function drawAll() {
  for (const id of [...dirty]) draw(id);
}

function watchCharts() {
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) seen[entry.isIntersecting ? "add" : "delete"](entry.target.id);
      drawSeen();
    },
    { rootMargin: "600px 0px" },
  );
  for (const id of Object.keys(CHARTS)) watcher.observe(byId(id));
}

/** Heights of labels, moved apart where two that are near from left to right would cover each other. spots: [{x, y}];
 * gap, near: the least distance from label to label, up and down and sideways, in units of the axes. */
function movedApart(spots, gap, near = Infinity) {
  const order = spots.map((_, i) => i).sort((one, other) => spots[one].y - spots[other].y);
  const places = spots.map((spot) => spot.y);
  for (let pass = 0; pass < 60; pass += 1) {
    order.forEach((high, rank) =>
      order.slice(0, rank).forEach((low) => {
        const lack = gap - (places[high] - places[low]);
        if (lack <= 1e-9 || Math.abs(spots[high].x - spots[low].x) >= near) return;
        places[low] -= lack / 2;
        places[high] += lack / 2;
      }),
    );
  }
  return places;
}

/** What lies below this is so far below the rest that showing it would press the rest together. */
function floorOf(values) {
  const sorted = [...values].sort((one, other) => one - other),
    middle = sorted[Math.floor(sorted.length / 2)];
  const lowest = middle - 2 * (sorted.at(-1) - middle);
  return sorted.find((value) => value >= lowest - 1e-9) ?? 0;
}

const rangeOf = (values) => Math.max(...values) - Math.min(...values) || 1;
const padded = (values, share = 0.08) => {
  const pad = Math.max(1e-3, share * rangeOf(values));
  return [Math.min(...values) - pad, Math.max(...values) + pad];
};

/** The band of one standard deviation around a line. */
const band = (x, low, high, name, axes = {}) => ({
  x: [...x, ...[...x].reverse()],
  y: [...high, ...[...low].reverse()],
  fill: "toself",
  fillcolor: faded(name, 0.16),
  line: { width: 0 },
  mode: "lines",
  hoverinfo: "skip",
  ...axes,
});

/** Names at the ends of lines: [{x, y, method}] as annotations, inside the range of y; height: of the panel in pixels. */
function endLabels(ends, [low, high], height, axes = {}) {
  const gap = (16 / height) * (high - low);
  const places = movedApart(ends, gap);
  const order = ends.map((_, i) => i).sort((one, other) => places[other] - places[one]);
  order.forEach((i, rank) => {
    places[i] = Math.min(places[i], rank ? places[order[rank - 1]] - gap : high); // what lies outside is not drawn
  });
  return ends.map((end, i) => ({
    x: end.x,
    y: places[i],
    xanchor: "left",
    xshift: 6,
    showarrow: false,
    bgcolor: faded("paper", 0.75),
    borderpad: 0,
    text: plain(end.method, 18),
    font: { color: colour(styleOf(end.method).colour), size: 12 },
    ...axes,
  }));
}
