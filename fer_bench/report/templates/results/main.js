// Start here: what happens when the page opens, when a choice changes, when it is printed.

/** Draw what depends on the choices; charts out of view wait until they come into it. */
function update() {
  showTable();
  showConfusion();
  showFurther();
  showPublished();
  showFaces();
  for (const id of Object.keys(CHARTS)) dirty.add(id);
  drawSeen();
}

const THEMES = { dark: "light", light: "dark" };
const themeNow = () =>
  document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function showTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  byId("theme").textContent = THEMES[themeNow()];
  byId("theme").setAttribute("aria-pressed", String(themeNow() === "dark"));
}

function changeTheme() {
  showTheme(THEMES[themeNow()]);
  update();
}

/** Plotly is put to work after the table stands: it takes longer to read than everything else. */
function loadPlotly() {
  const script = make("script");
  script.textContent = byId("plotly").textContent;
  document.head.append(script);
  drawSeen();
  document.documentElement.dataset.ready = Math.round(performance.now()); // milliseconds from opening to the figures in view
}

/** For paper all charts are drawn, in light colours. */
function listenToPrinter() {
  let before = "";
  window.addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme || "";
    document.documentElement.dataset.theme = "light";
    for (const id of Object.keys(CHARTS)) dirty.add(id);
    drawAll();
  });
  window.addEventListener("afterprint", () => {
    if (before) document.documentElement.dataset.theme = before;
    else delete document.documentElement.dataset.theme;
    update();
  });
}

function begin() {
  for (const note of document.querySelectorAll(".note")) note.dataset.text = note.textContent;
  settle();
  showTheme("");
  showFacts();
  showControls();
  listenToControls();
  listenToTable();
  listenToDialog();
  listenToPrinter();
  byId("theme").onclick = changeTheme;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    showTheme("");
    update();
  });
  matchMedia("(max-width: 699px)").addEventListener("change", update);
  update();
  watchCharts();
  requestAnimationFrame(() => setTimeout(loadPlotly, 0));
}
