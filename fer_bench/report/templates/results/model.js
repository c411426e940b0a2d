// The payload unpacked, and the arithmetic over seeds. No drawing here.
const DATA = JSON.parse(byId("payload").textContent);
const FINE = 1e6,
  COARSE = 1e4;
const MEASURES = {
  overall: "overall accuracy",
  mean: "mean accuracy",
  macro_f1: "macro-F1",
  ece: "calibration error",
  nll: "log loss",
};
const ACCURACIES = ["overall", "mean", "macro_f1"];
const RULES = {
  auto: "as the protocol says",
  last: "the last",
  best: "best on the test set",
  val: "best on held-out faces",
};
const METHODS = new Map(DATA.methods.map((method) => [method.name, method]));
const CELLS = DATA.blocks.flatMap((block) =>
  block.cells.map((cell) =>
    Object.assign(cell, { block, setting: DATA.settings[block.setting], facts: METHODS.get(cell.method) }),
  ),
);

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const spread = (values) => {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
};

/** One number of a run as a fraction: of the epoch that a rule chooses; null where there is none. */
function valueOf(cell, run, place, rule = state.rule) {
  const chosen = rule === "auto" ? cell.rule : rule;
  if (!(chosen in run.epochs)) return null;
  const found = (run.results[chosen] || run.results.last)[place];
  return found === null || found === undefined ? null : found / FINE;
}

const placeOf = (metric) => DATA.metrics.indexOf(metric);
const recallPlace = (index) => DATA.metrics.length + index;

/** Mean, spread and values of a cell over its runs, or null. */
function statOf(cell, place, rule = state.rule) {
  const values = cell.runs.map((run) => valueOf(cell, run, place, rule)).filter((value) => value !== null);
  return values.length ? { mean: mean(values), std: spread(values), values } : null;
}

/** seed -> mean over the folds of that seed. */
function bySeed(cell, place) {
  const seeds = new Map();
  for (const run of cell.runs) {
    const value = valueOf(cell, run, place);
    if (value !== null) seeds.set(run.seed, [...(seeds.get(run.seed) || []), value]);
  }
  return new Map([...seeds].map(([seed, values]) => [seed, { value: mean(values), folds: values.length }]));
}

/** What a cell gains over the baseline of its block: seed by seed, where both have as many folds; or null. */
function gainOf(cell, baseline, metric = state.metric) {
  const base = cell.block.cells.find((other) => other.method === baseline);
  if (!base || base === cell) return null;
  const [mine, its] = [cell, base].map((one) => bySeed(one, placeOf(metric)));
  const pairs = [...mine].filter(([seed, one]) => its.has(seed) && its.get(seed).folds === one.folds);
  if (!pairs.length) return null;
  const seeds = pairs.map(([seed, one]) => ({ seed, value: one.value - its.get(seed).value }));
  const interval =
    (state.rule === "auto" || state.rule === cell.rule) && cell.block.intervals[metric]?.[baseline]?.[cell.method];
  return {
    mean: mean(seeds.map((one) => one.value)),
    seeds,
    interval: interval ? interval.map((end) => end / FINE) : null,
  };
}

/** Better, worse or not told apart: by the interval where there is one. */
const verdict = (gain) =>
  !gain.interval ? "unknown" : gain.interval[0] > 0 ? "above" : gain.interval[1] < 0 ? "below" : "even";

const percent = (value, digits = 2) => (value === null || value === undefined ? "--" : (100 * value).toFixed(digits));
const signed = (value, digits = 2) => {
  const text = (100 * value).toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : (value > 0 ? "+" : "") + text.replace("-", "−");
};

/** Numbers before numbers, words in order: noise9 before noise10. */
const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;

/** A curve of a cell, averaged over its runs by epoch: {epoch, mean, std}, or null. */
function curveOf(cell, name) {
  const epochs = new Map();
  for (const run of cell.runs) {
    (run.curve[name] || []).forEach((value, i) => {
      const epoch = run.curve.epoch[i];
      if (value !== null) epochs.set(epoch, [...(epochs.get(epoch) || []), value / COARSE]);
    });
  }
  const found = [...epochs].sort(([one], [other]) => one - other);
  return found.length
    ? {
        epoch: found.map(([epoch]) => epoch),
        mean: found.map(([, values]) => mean(values)),
        std: found.map(([, values]) => spread(values) ?? 0),
      }
    : null;
}
