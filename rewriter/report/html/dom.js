"use strict";
// Elements and words. Text from the model only ever becomes a text node or the value of `title`.

/** An element: `attrs` are class, title, aria-* and the like, and `on…` listeners; children are elements or text. */
function h(tag, attrs, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const NUMBER = new Intl.NumberFormat("en-US");

function integer(value) {
  return NUMBER.format(Math.round(value));
}

/** Bytes in three digits: 5.18 MB. */
function bytes(value) {
  if (value === null) return "unknown";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (value >= 1000 && power < units.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${power ? value.toPrecision(3) : value} ${units[power]}`;
}

function exponent(value) {
  if (value === null) return "–";
  return value === 0 ? "0" : value.toExponential(1).replace("e-", "e−").replace("e+", "e");
}

function plural(count, word) {
  return `${integer(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** A name, elided in the middle: what tells names apart is at their ends. */
function elided(text, most) {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) * 0.4);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** A name in full, on lines as long as there is room: for where it is to be read. */
function named(text, most = 400) {
  return h("span", { class: "name", title: text.length > most ? text.slice(0, 2000) : null }, elided(text, most));
}

/** The last part of a name: the others are the scopes that it stands in. */
function local(name) {
  return name.split(name.includes("/") ? "/" : ".").filter(Boolean).pop() || name;
}

function shapeText(shape) {
  if (shape === null) return "";
  return shape.length ? shape.map((dim) => (dim === null || /^unk__/.test(dim) ? "?" : elided(String(dim), 12))).join("×") : "scalar";
}

/** first: channels before positions; last: behind them; other: any other order than the original's; plain: that. */
function layoutKind(layout) {
  if (!layout || layout === "as is") return "plain";
  if (!/^[A-Z]+$/.test(layout)) return "other";
  return layout.endsWith("C") ? "last" : "first";
}

function chip(layout) {
  if (!layout) return null;
  return h("span", { class: `chip ${layoutKind(layout)}`, title: layout }, layoutText(layout));
}

/** `a b c d -> a c d b` without what is the same everywhere: the order alone. */
function layoutText(layout) {
  const order = layout.split(" -> ")[1] || layout;
  return elided(order.replace(/ (?=[a-z(])/g, " "), 24);
}

function table(heads, rows, attrs = {}) {
  const head = heads.map(([text, kind]) => h("th", { class: kind, scope: "col" }, text));
  const body = rows.map((cells) => h("tr", {}, cells.map((cell, i) => h("td", { class: heads[i][1] }, cell))));
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": attrs.label || "table" },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

function section(id, title, lead, ...content) {
  return h("section", { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title), lead ? h("p", { class: "lead" }, lead) : null, ...content);
}
