"use strict";
// The parts of the report around the graph: verdict, contract, what remains, tables, certificate.

const TINY = 1e-9; // where the scale of errors begins; it ends at 1

function fileName(path) {
  return path.split(/[/\\]/).pop();
}

/** What came out, in a word, a sentence, and how it is to be seen: good, bad or open. */
function outcome() {
  const { validation, rewrite } = DATA;
  if (validation === null) {
    return rewrite.changed ? ["Not validated", "The models were not run.", "open"]
      : ["Nothing to do", `The model is ${rewrite.to.toUpperCase()} already.`, "good"];
  }
  const failed = validation.providers.find((one) => one.status === "failed");
  if (failed) return [validation.ok ? "Failed" : "The result is wrong", failed.reason, "bad"];
  if (located()) return ["The result is wrong", "A value inside differs, though no output shows it.", "bad"];
  const [passed] = validation.providers.filter((one) => one.status === "passed");
  return passed ? ["Outputs unchanged", passed.reason, "good"] : ["Not validated", validation.skipped.join(" "), "open"];
}

function verdict(view) {
  const { rewrite, written, output } = DATA;
  const [word, sentence, kind] = outcome();
  const where = written ? ["Written to ", h("code", {}, named(output, 90)), "."] : ["Nothing was written."];
  return h("section", { id: "verdict", "aria-labelledby": "verdict-title" },
    h("p", { class: "over" }, named(fileName(DATA.model), 80), ` to ${rewrite.to.toUpperCase()}, ${rewrite.dialect} dialect`),
    h("h1", { id: "verdict-title", class: kind }, h("span", { class: "mark", "aria-hidden": "true" }), word),
    h("p", { class: "lead" }, named(sentence, 300), " ", where),
    locatedLink(view),
    h("div", { class: "tiles" }, tiles()));
}

function tiles() {
  const { rewrite, validation, latency } = DATA;
  const [old, now] = rewrite.transposes;
  const worst = validation && validation.providers.filter((one) => one.max_rel !== null)
    .sort((one, other) => other.max_rel - one.max_rel)[0];
  const timed = latency.find((one) => !one.reason);
  return [
    tile("Transposed per inference", rewrite.bytes_before, rewrite.bytes, bytes),
    tile("Transposes", old, now, integer),
    worst ? tile("Largest error, of the output's scale", null, exponent(worst.max_rel), null, `allowed ${exponent(worst.rtol)}`) : null,
    timed ? tile(`Latency on ${timed.provider.toUpperCase()}, ms`, timed.before, timed.after, (time) => time.toPrecision(3)) : null,
  ];
}

/** A figure before and after with bars, or one figure with a note. */
function tile(title, before, after, unit, note) {
  if (!unit) return h("div", { class: "tile" }, h("h3", {}, title), h("p", { class: "figure" }, after), h("p", { class: "muted" }, note));
  const most = Math.max(before, after) || 1;
  return h("div", { class: "tile" }, h("h3", {}, title),
    h("p", { class: "figure" }, h("span", { class: "was" }, unit(before)), h("span", { class: "arrow" }, " → "), h("span", {}, unit(after))),
    bar("was", before / most), bar("now", after / most));
}

function bar(kind, share) {
  const filled = h("i", {});
  filled.style.width = `${100 * share}%`;
  return h("div", { class: `bar ${kind}`, "aria-hidden": "true" }, filled);
}

function contract() {
  const { inputs, outputs } = DATA.rewrite;
  const row = (kind) => (value) => [kind, named(value.name, 60), stored(value.old_shape, value.old_layout),
    stored(value.new_shape, value.new_layout), value.old_layout !== value.new_layout || isFlip(value) ? `(${value.perm.join(", ")})` : "unchanged"];
  const copy = h("button", { type: "button", class: "quiet copy", onclick: () => copied(copy, code) }, "Copy");
  const code = h("pre", { tabindex: "0" }, DATA.snippet);
  const notes = [...inputs, ...outputs].filter((value) => value.note)
    .map((value) => h("li", {}, named(value.name, 60), ` stays: `, named(value.note)));
  notes.push(...DATA.rewrite.preprocessed.map((one) => h("li", {}, named(one.name, 60), ` takes `, named(one.text, 600))));
  return section("contract", "Contract", "How the inputs and outputs are stored now.",
    table([["", "kind"], ["Name", ""], ["Before", ""], ["After", ""], ["Perm", "mono"]],
      [...inputs.map(row("input")), ...outputs.map(row("output"))], { label: "Inputs and outputs" }),
    notes.length ? h("ul", { class: "notes" }, notes) : null,
    h("div", { class: "code" }, h("p", { class: "muted" }, "Feed it so; ", h("code", {}, "arrays"), " holds what the original takes, by name, and frames where the result takes those."), copy, code));
}

function isFlip(value) {
  return value.perm !== null && value.perm.some((axis, i) => axis !== i);
}

function stored(shape, layout) {
  return h("span", { class: "stored" }, h("span", { class: "shape" }, shape === null ? "unknown" : shapeText(shape)), layout ? chip(layout) : null);
}

function copied(button, code) {
  const range = document.createRange();
  range.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  const done = () => { button.textContent = "Copied"; };
  if (navigator.clipboard) navigator.clipboard.writeText(DATA.snippet).then(done, () => { button.textContent = "Selected"; });
  else button.textContent = "Selected";
}

/** What remains by cause; each opens to all of its changes, which lead to their places in the graph. */
function remains(view) {
  const { causes, remaining, to } = DATA.rewrite;
  if (!causes.length) return section("remains", "What remains", `Nothing: no Transpose is left in the ${to.toUpperCase()} model.`);
  const total = causes.reduce((sum, one) => sum + one.bytes, 0) || 1;
  const of = new Map(causes.map((one) => [one, one.changes.map((number) => [remaining[number], number])]));
  return section("remains", "What remains", "Changes of layout that stay, by cause, the most bytes first.",
    causes.map((one) => h("details", { class: "cause" },
      h("summary", {}, h("span", { class: "why" }, named(one.cause, 160)),
        h("span", { class: "size" }, `${integer(one.count)} × `, h("b", {}, one.unsized === one.count ? "unknown" : bytes(one.bytes))),
        bar("red", one.bytes / total), h("span", { class: "muted help" }, "Would help: ", one.help)),
      places(of.get(one), view))));
}

function places(list, view) {
  const most = 200;
  const item = ([change, number]) => {
    const leaf = view.rows.get(number);
    const show = () => {
      document.getElementById("graph").scrollIntoView();
      view.reveal(leaf);
    };
    const name = leaf ? h("button", { type: "button", class: "link", onclick: show }, named(change.value, 40)) : named(change.value, 40);
    return [bytes(change.bytes), name, h("span", {}, chip(change.stored), " → ", chip(change.needed)), named(change.blocker, 40)];
  };
  return [table([["Bytes", "number"], ["Value", ""], ["Layout", "nowrap"], ["Blocked by", ""]], list.slice(0, most).map(item), { label: "Changes" }),
    list.length > most ? h("p", { class: "muted" }, `and ${integer(list.length - most)} more: see the graph.`) : null];
}

function graph(view) {
  const kinds = [["NCHW", "channels first"], ["NHWC", "channels last"], ["a b -> b a", "another order"]];
  return section("graph", "Before and after", null,
    h("p", { class: "lead legend" }, kinds.map(([layout, text]) => h("span", {}, chip(layout), ` ${text}`)),
      h("span", {}, h("span", { class: "chip red" }, "Transpose"), " remains"),
      view.located ? h("span", {}, locatedChip(), " the first value that does") : null), view.element);
}

function operators() {
  const { ops, barriers } = DATA.rewrite;
  const sign = (by) => (by > 0 ? `+${integer(by)}` : by < 0 ? `−${integer(-by)}` : "");
  const rows = Object.entries(ops).map(([name, [old, now]]) => [named(name, 60), integer(old), integer(now),
    h("span", { class: now === old ? "" : "delta" }, sign(now - old)), name in barriers ? "no rule: stays as it is" : ""]);
  return section("operators", "Operators", `In the main graph; those that changed in number first.`,
    table([["Operator", ""], ["Before", "number"], ["After", "number"], ["", "number"], ["", "muted"]], rows, { label: "Operators" }));
}

function errors() {
  const { validation } = DATA;
  if (validation === null) return null;
  return section("errors", "Errors", "By how much each output is off, as a fraction of its scale: the largest magnitude in the original's output.",
    validation.providers.map(provider));
}

function provider(one) {
  const rows = one.outputs.map((output) => [named(output.name, 48), exponent(output.max_rel), exponent(output.noise),
    exponent(output.rtol), scale(output)]);
  return h("div", { class: "provider" }, h("h3", {}, one.name.toUpperCase(), " ", h("span", { class: `badge ${one.status}` }, one.status)),
    h("p", {}, named(one.reason, 600)),
    rows.length ? table([["Output", ""], ["Error", "number"], ["Original's own noise", "number"], ["Allowed", "number"],
      ["1e−9 to 1, logarithmic", "scale"]], rows, { label: `Errors on ${one.name}` }) : null,
    one.notes.length ? h("ul", { class: "notes" }, one.notes.map((note) => h("li", {}, named(note, 600)))) : null);
}

/** Error, noise and tolerance on one line of nine decades. */
function scale(output) {
  const place = (value) => Math.min(1, Math.max(0, 1 - Math.log10(Math.max(value, TINY)) / Math.log10(TINY)));
  const mark = (kind, value) => {
    if (!value) return null;
    const element = h("i", { class: kind, title: `${kind} ${exponent(value)}` });
    element.style.left = `${100 * place(value)}%`;
    return element;
  };
  return h("div", { class: "decades", role: "img", "aria-label": `error ${exponent(output.max_rel)}, allowed ${exponent(output.rtol)}` },
    mark("allowed", output.rtol), mark("noise", output.noise), mark("error", output.max_rel));
}

function times() {
  const { latency } = DATA;
  if (!latency.length) return null;
  const time = (value) => `${value.toFixed(3)} ms`;
  const rows = latency.map((one) => (one.reason ? [one.provider, h("span", {}, named(one.reason, 300)), "", "", "", ""]
    : [one.provider, time(one.before), time(one.after), one.ratio.toFixed(3), `${time(one.least_before)} → ${time(one.least_after)}`, integer(one.rounds)]));
  return section("latency", "Latency", "Original and result run in turn; medians, and the median of each round's ratio.",
    table([["Provider", ""], ["Before", "number"], ["After", "number"], ["Ratio", "number"], ["Fastest", "number"], ["Rounds", "number"]], rows, { label: "Latency" }));
}

function proof() {
  const { certificate, rewrite } = DATA;
  const amount = (value) => (value === null ? "none" : `${integer(value)} ${rewrite.unit}`);
  const facts = [["Prices of", rewrite.runtime], ["Cost before", amount(rewrite.cost_before)], ["Cost of the plan", amount(rewrite.cost)],
    ["Proven bound", amount(rewrite.bound)], ["Optimal", rewrite.optimal ? "yes: the bound is reached" : "no: the time limit was reached"],
    ["Sizes guessed", integer(rewrite.guessed)], ["Not every combination", named(rewrite.limited.join(", ") || "none: all were tried", 300)]];
  const explained = rewrite.explained.map((one) => h("div", {}, h("h3", {}, named(one.value, 80)), h("p", {}, `made by `, named(one.made_by, 80),
    `, stored `, named(one.stored, 60)), h("ul", { class: "notes" }, [...one.readings, ...one.alternatives.map((other) => `stored ${other}`)]
    .map((line) => h("li", {}, named(line, 300))))));
  const stages = Object.entries(rewrite.seconds).map(([name, seconds]) => [name, `${(1000 * seconds).toFixed(1)} ms`]);
  return section("proof", "Certificate", named(certificate, 900), pairs("facts", facts),
    rewrite.notes.length ? h("ul", { class: "notes" }, rewrite.notes.map((note) => h("li", {}, note))) : null, explained,
    h("details", {}, h("summary", {}, `Times of the passes, by ${DATA.tool.name} ${DATA.tool.version}`),
      table([["Pass", ""], ["Time", "number"]], stages, { label: "Times" })));
}
