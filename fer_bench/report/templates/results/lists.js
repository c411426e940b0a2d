// What is no chart: the facts on top, further tests, published numbers, faces.
function showFacts() {
  byId("facts").replaceChildren(
    ...DATA.facts.map(([number, words]) => make("div", { class: "fact" }, make("b", {}, number), words)),
  );
  byId("versions").replaceChildren(...DATA.versions.flatMap((text, i) => [i ? " · " : "", named(text, 60)]));
  const warnings = byId("warnings"),
    count = DATA.warnings.length;
  warnings.hidden = !count;
  warnings.open = count < 6;
  warnings.querySelector("summary").textContent =
    count === 1 ? "One thing to know first" : `${count} things to know first`;
  warnings.querySelector("ul").replaceChildren(...DATA.warnings.map((text) => make("li", {}, noteOf(text))));
  byId("missing").hidden = !DATA.missing.length;
  byId("missing")
    .querySelector("div")
    .replaceChildren(...DATA.missing.map((command) => make("pre", {}, command)));
}

/** Further tests of the block: methods below each other, tests side by side. */
function showFurther() {
  const cells = blockHere().cells.filter((cell) => cell.runs.some((run) => run.further.length));
  byId("further").hidden = !cells.length;
  const tests = [
    ...new Set(
      cells.flatMap((cell) => cell.runs.flatMap((run) => run.further.map(([kind, name]) => `${kind}: ${name}`))),
    ),
  ];
  const rows = cells.map((cell) => [
    named(cell.method),
    ...tests.map((test) => {
      const found = cell.runs.flatMap((run) => run.further.filter(([kind, name]) => `${kind}: ${name}` === test));
      return found.length
        ? `${percent(mean(found.map((one) => one[2] / FINE)))} / ${percent(mean(found.map((one) => one[3] / FINE)))}`
        : "--";
    }),
  ]);
  byId("further")
    .querySelector(".wide")
    .replaceChildren(table(["method", ...tests], rows));
}

/** Published numbers of the block, and of which of its methods none could be read. */
function showPublished() {
  const block = blockHere();
  const order = (one, other) => natural(other.metric, one.metric) || other.value - one.value;
  const rows = [...block.published]
    .sort(order)
    .map((one) => [
      named(one.method),
      MEASURES[one.metric] || one.metric,
      percent(one.value / FINE) + (one.std === null ? "" : ` ± ${percent(one.std / FINE)}`),
      named(one.setting.join("; "), 300),
      named(one.source, 120),
    ]);
  byId("published").hidden = !rows.length;
  const heads = ["method", "measure", "%", "made with", "read in"];
  byId("published").querySelector(".wide").replaceChildren(table(heads, rows));
  const lacking = block.cells.map((cell) => cell.method).filter((name) => DATA.unpublished.includes(name));
  byId("unpublished").replaceChildren(
    ...(lacking.length ? ["No number could be read of: ", named(lacking.join(", "), 2000), "."] : []),
  );
}

/** The sheets of the block: faces with what is known of them. */
function showFaces() {
  const sheets = DATA.sheets.filter((sheet) => sheet.setting === state.setting && sheet.protocol === state.protocol);
  byId("faces").hidden = !sheets.length;
  byId("faces")
    .querySelector("div")
    .replaceChildren(...sheets.map(sheetOf));
}

function sheetOf(sheet) {
  const title = make("h3", {}, sheet.title);
  const faces = make("div", { class: "faces" }, ...sheet.faces.map(faceOf));
  return make("div", { class: "sheet" }, title, make("p", { class: "soft" }, sheet.about), faces);
}

function faceOf(face) {
  const picture = make("img", {
    src: face.uri,
    alt: face.lines.join("; "),
    title: face.name.slice(0, 300),
    loading: "lazy",
  });
  return make(
    "figure",
    {},
    picture,
    make("figcaption", {}, ...face.lines.map((line) => make("div", {}, named(line, 60)))),
  );
}
