// Elements made from data. Text from records becomes text nodes only: nothing here reads it as HTML.
const byId = (id) => document.getElementById(id);

/** An element with attributes and children (elements or text). */
function make(tag, attributes = {}, ...children) {
  const element =
    tag === "svg" || tag === "circle" || tag === "line"
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Put children in place of what an element holds; nothing for null. */
const put = (element, ...children) =>
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));

const LONGEST = 36; // characters of a name on the page; a dialog shows the whole
const cut = (text, most = LONGEST) => ([...text].length > most ? [...text].slice(0, most - 1).join("") + "…" : text);

/** A name that may hold anything: isolated from the text around it, cut, whole on hover. */
const named = (text, most = LONGEST) =>
  make("bdi", { title: text.length > most ? text.slice(0, 2000) : null }, cut(text, most));

/** A table from heads and rows of text or elements; columns that hold words stand left. */
function table(heads, rows, kind = "small") {
  const words = heads.map((_, i) => rows.some((row) => typeof row[i] !== "string" || !/^[−+–\d]|^$|^--$/.test(row[i])));
  const cell = (tag, content, i) =>
    make(tag, { class: words[i] ? "text" : null, scope: tag === "th" ? "col" : null }, content);
  return make(
    "table",
    { class: kind },
    make("thead", {}, make("tr", {}, ...heads.map((head, i) => cell("th", head, i)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((content, i) => cell("td", content, i))))),
  );
}

/** A select filled with [value, text] pairs; names keep their direction by being cut and isolated. */
function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, dir: "auto" }, cut(text, 60))));
  select.value = chosen;
}

/** A colour of the style sheet as the browser resolves it, light or dark. */
function colour(name) {
  const probe = byId("probe") || document.body.appendChild(make("span", { id: "probe", hidden: true }));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** The same colour, partly transparent. */
const faded = (name, share) => colour(name).replace(/^rgb\(([^)]+)\)$/, `rgba($1, ${share})`);
