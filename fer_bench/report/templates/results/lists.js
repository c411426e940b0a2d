// What is no chart: the facts on top, further tests, published numbers, faces.
function showFacts() {
  byId("facts").replaceChildren(...DATA.facts.map(([number, words]) => make("div", { class: "fact" }, make("b", {}, number), words)));
  const warnings = byId("warnings"), count = DATA.warnings.length;
  warnings.hidden = !count;
  warnings.open = count < 6;
  warnings.querySelector("summary").textContent = count === 1 ? "One thing to know first" : `${count} things to know first`;
  warnings.querySelector("ul").replaceChildren(...DATA.warnings.map((text) => make("li", {}, noteOf(text))));
  byId("missing").hidden = !DATA.missing.length;
  byId("missing").querySelector("div").replaceChildren(...DATA.missing.map((command) => make("pre", {}, command)));
}

/** Further tests of the block: methods below each other, tests side by side. */
function showFurther() {
  const cells = blockHere().cells.filter((cell) => cell.runs.some((run) => run.further.length));
  byId("further").hidden = !cells.length;
  const tests = [...new Set(cells.flatMap((cell) => cell.runs.flatMap((run) => run.further.map(([kind, name]) => `${kind}: ${name}`))))];
  const rows = cells.map((cell) => [named(cell.method), ...tests.map((test) => {
    const found = cell.runs.flatMap((run) => run.further.filter(([kind, name]) => `${kind}: ${name}` === test));
    return found.length ? `${percent(mean(found.map((one) => one[2] / FINE)))} / ${percent(mean(found.map((one) => one[3] / FINE)))}` : "--";
  })]);
  byId("further").querySelector(".wide").replaceChildren(table(["method", ...tests], rows));
}

function showPublished() {
  const found = [...blockHere().published].sort((one, other) => natural(one.metric, other.metric) * -1 || other.value - one.value);
  byId("published").hidden = !found.length;
  const rows = found.map((one) => [named(one.method), MEASURES[one.metric] || one.metric, percent(one.value / FINE), named(one.differs.join("; "), 300), named(one.source, 120)]);
  byId("published").querySelector(".wide").replaceChildren(table(["method", "measure", "%", "what differs", "read in"], rows));
}

function showFaces() {
  byId("faces").hidden = !DATA.sheets.length;
  byId("faces").querySelector("div").replaceChildren(...DATA.sheets.map((sheet) => make("div", { class: "sheet" },
    make("h3", {}, named(sheet.title, 90)), make("p", { class: "soft" }, sheet.about), make("div", { class: "faces" }, ...sheet.faces.map((face) =>
      make("figure", {}, make("img", { src: face.uri, alt: face.lines.join(", ").slice(0, 300), loading: "lazy" }),
        make("figcaption", {}, ...face.lines.flatMap((line) => [named(line, 40), make("br")]))))))));
}
