// What the reader has chosen, the controls that choose it, and which methods are in colour.
const state = { setting: 0, protocol: "", baseline: "", metric: "overall", rule: "auto", picked: [] };
const MOST_PICKED = 6;
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star"];

const blocksHere = () => DATA.blocks.filter((block) => block.setting === state.setting);
const blockHere = () => blocksHere().find((block) => block.protocol === state.protocol);
const rateOf = (block) => [block.noise ? 1 : 0, block.cells.length];

/** The protocol to begin with: the one with most methods, of those that spoil labels if there are. */
function firstProtocol() {
  return [...blocksHere()].sort(
    (one, other) =>
      (other.noise && !other.factor ? 1 : 0) - (one.noise && !one.factor ? 1 : 0) ||
      other.cells.length - one.cells.length,
  )[0].protocol;
}

/** Methods in colour to begin with: those of NLA, then those that gain most. */
function firstPicked() {
  const ranked = blockHere()
    .cells.filter((cell) => cell.method !== state.baseline)
    .map((cell) => [cell.method, statOf(cell, placeOf("overall"))?.mean ?? 0])
    .sort((one, other) => other[1] - one[1]);
  const wanted = ["nla", "nla-released"].filter((name) => ranked.some(([method]) => method === name));
  return [...new Set([...wanted, ...ranked.map(([method]) => method)])].slice(0, 4);
}

/** The style of a method in every chart: ink for the baseline, a colour and a symbol if picked, else pale. */
function styleOf(method) {
  const place = state.picked.indexOf(method);
  if (method === state.baseline) return { colour: "ink", symbol: "x-thin-open", dash: "dot", on: true };
  return place < 0
    ? { colour: "others", symbol: "circle", dash: "solid", on: false }
    : { colour: `c${place}`, symbol: SYMBOLS[place], dash: "solid", on: true };
}

/** Cells of a block in drawing order: pale ones first, the baseline last. */
const inOrder = (cells) => [...cells].sort((one, other) => layer(one.method) - layer(other.method));
const layer = (method) => (method === state.baseline ? 99 : state.picked.indexOf(method));
const inColour = (cells) =>
  [state.baseline, ...state.picked].map((name) => cells.find((cell) => cell.method === name)).filter(Boolean);

/** Make what is chosen fit what is there, after the setting or the protocol changed. */
function settle() {
  if (!blockHere()) state.protocol = firstProtocol();
  const names = blockHere().cells.map((cell) => cell.method);
  if (!names.includes(state.baseline)) state.baseline = DATA.baselines.find((name) => names.includes(name)) ?? names[0];
  const all = new Set(blocksHere().flatMap((block) => block.cells.map((cell) => cell.method)));
  state.picked = state.picked.filter((name) => all.has(name) && name !== state.baseline);
  if (!state.picked.length) state.picked = firstPicked();
}

/** Change what is chosen and draw what depends on it. */
function choose(changes) {
  Object.assign(state, changes);
  settle();
  showControls();
  update();
}

function showControls() {
  const names = blockHere().cells.map((cell) => cell.method);
  const runs = (setting) =>
    CELLS.filter((cell) => cell.setting === setting).reduce((sum, cell) => sum + cell.runs.length, 0);
  fill(
    byId("setting"),
    DATA.settings.map((one, i) => [i, `${one.name} (${runs(one)} runs)`]),
    state.setting,
  );
  fill(
    byId("protocol"),
    blocksHere().map((block) => [
      block.protocol,
      block.asks && block.asks !== "labels as published" ? `${block.protocol}: ${block.asks}` : block.protocol,
    ]),
    state.protocol,
  );
  fill(
    byId("baseline"),
    names.map((name) => [name, name]),
    state.baseline,
  );
  fill(
    byId("metric"),
    ACCURACIES.map((name) => [name, MEASURES[name]]),
    state.metric,
  );
  const rules = Object.keys(RULES).filter(
    (rule) => rule !== "val" || CELLS.some((cell) => "val" in cell.runs[0].epochs),
  );
  fill(
    byId("rule"),
    rules.map((rule) => [rule, RULES[rule]]),
    state.rule,
  );
  for (const label of document.querySelectorAll("#controls label")) {
    label.dataset.value = label.querySelector("select").selectedOptions[0]?.textContent ?? ""; // for paper
  }
  showChips();
}

function showChips() {
  const chip = (name) =>
    make(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-label": `${cut(name)}: take the colour away`,
        onclick: () => choose({ picked: state.picked.filter((one) => one !== name) }),
      },
      make("span", { class: "dot", style: `background: var(--${styleOf(name).colour})` }),
      named(name, 24),
      "×",
    );
  const all = [...new Set(blocksHere().flatMap((block) => block.cells.map((cell) => cell.method)))].sort(natural);
  const left = all.filter((name) => name !== state.baseline && !state.picked.includes(name));
  const add = make("select", {
    "aria-label": "Give another method a colour",
    onchange: (event) => choose({ picked: [...state.picked, event.target.value].slice(-MOST_PICKED) }),
  });
  fill(add, [["", "+ method"], ...left.map((name) => [name, name])], "");
  byId("picked").replaceChildren(make("span", { class: "soft" }, "In colour:"), ...state.picked.map(chip), add);
}

function listenToControls() {
  byId("setting").onchange = (event) => choose({ setting: Number(event.target.value), protocol: "", picked: [] });
  for (const name of ["protocol", "baseline", "metric", "rule"]) {
    byId(name).onchange = (event) => choose({ [name]: event.target.value });
  }
}
