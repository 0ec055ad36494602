"use strict";
// Where the models part: the first value that differs though what it is made of agrees, and the node that makes it.

const PARTS = "differs here"; // the mark of that node

/** What validation has located, or null. */
function located() {
  return DATA.values && DATA.values.located;
}

/** Whether the row's node of the result makes the value; values inside of bodies are not compared. */
function isLocated({ after }) {
  const found = located();
  return Boolean(found && after && !after.body && after.outputs.some((value) => value.name === found.value));
}

function locatedChip() {
  return h("span", { class: "chip located" }, PARTS);
}

/** A sentence that leads to the node. */
function locatedLink(view) {
  const found = located();
  if (!found) return null;
  const show = () => {
    document.getElementById("graph").scrollIntoView();
    view.reveal(view.located);
  };
  const name = named(found.value, 60);
  return h("p", { class: "lead parts" }, "They part at value ",
    view.located ? h("button", { type: "button", class: "link", onclick: show }, name) : name, ", though what it is made of agrees.");
}

/** Both values in numbers, and who makes them. */
function locatedTold() {
  const found = located();
  const error = found.error === null ? "" : `, off by ${exponent(found.error)} of its scale`;
  const place = found.index === null ? "" : ` at [${found.index.join(", ")}]`;
  const makers = (labels) => h("ul", {}, labels.map((label) => h("li", {}, named(label, 120))));
  return pairs("parts", [["Differs", named(`It${place} ${found.text}${error}`)], ["Value", named(found.value)],
    ...(found.layout ? [["Stored", chip(found.layout)]] : []),
    ["Original", statistics(found.original)], ["Rewritten", statistics(found.rewritten)],
    ["Made by", makers(found.nodes)], ["Now by", makers(found.rewritten_nodes)]]);
}

function statistics({ dtype, shape, least, most, mean, not_finite: odd }) {
  const short = (number) => String(Number(number.toPrecision(4)));
  return [`${dtype} ${shapeText(shape)}`, ...(least === null ? [] : [`${short(least)} to ${short(most)}, mean ${short(mean)}`]),
    ...(odd ? [`${integer(odd)} not finite`] : [])].join(", ");
}
