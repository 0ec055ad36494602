"use strict";
// The graphs side by side: a tree of which only the rows in sight are elements, so that 20,000 nodes are no burden.

const SCREEN = 40; // rows
const SPARE = 8; // rows drawn above and below those in sight

class GraphView {
  constructor(root) {
    this.root = root;
    this.shown = []; // the tree's rows and groups that are to be seen, in order
    this.filter = "all";
    this.query = "";
    this.side = "after";
    this.selected = null;
    this.reds = [];
    this.located = null; // where the models part
    this.rows = new Map(); // by what remains
    this.byNode = new Map(); // "Conv 'name'": who makes and reads values, and who is a reason
    this.collect(root);
    this.canvas = h("div", { class: "canvas" });
    this.scroller = h("div", { class: "rows", tabindex: "0", role: "tree", "aria-label": "Graph before and after",
      onscroll: () => this.draw(), onkeydown: (event) => this.key(event) }, this.canvas);
    this.detail = h("aside", { class: "detail", "aria-live": "polite" });
    this.count = h("span", { class: "count" });
    this.element = h("div", { class: "graph" }, this.toolbar(), this.heads(), this.scroller, this.detail);
    this.element.dataset.side = this.side;
    this.narrow = window.matchMedia("(max-width: 760px)"); // room for one side only
    this.narrow.addEventListener("change", () => this.update());
    new ResizeObserver(() => this.draw()).observe(this.scroller);
    this.openSome();
    this.update();
    this.tell(null);
  }

  /** Open groups, level by level, as long as what they show fits a screen. */
  openSome() {
    let room = SCREEN - this.root.children.length;
    const groups = this.root.children.filter((child) => child.children);
    for (let group = groups.shift(); group; group = groups.shift()) {
      if (group.children.length > room) continue;
      group.open = true;
      room -= group.children.length;
      groups.push(...group.children.filter((child) => child.children));
    }
  }

  collect(group) {
    for (const child of group.children) {
      if (child.children) {
        this.collect(child);
        continue;
      }
      for (const node of [child.row.before, child.row.after]) {
        if (node) this.byNode.set(node.name ? `${node.op} '${node.name}'` : node.op, child);
      }
      if (child.located) this.located = child;
      if (child.red) {
        this.reds.push(child);
        this.rows.set(child.row.after.remaining, child);
      }
    }
  }

  toolbar() {
    const search = h("input", { type: "search", placeholder: "Find a name or operator", "aria-label": "Find a name or operator",
      spellcheck: "false", autocomplete: "off", oninput: () => { this.query = search.value.trim().toLowerCase(); this.update(); } });
    const filters = this.choice("Show", [["all", "All"], ["changed", "Changed"], ["red", `Transposes (${this.reds.length})`]],
      "filter", () => this.update());
    const sides = this.choice("Side", [["before", "Before"], ["after", "After"]], "side", () => {
      this.element.dataset.side = this.side;
      this.update();
    });
    sides.classList.add("sides");
    const step = (label, by, text) => h("button", { type: "button", class: "quiet", "aria-label": label, title: label,
      disabled: !this.reds.length, onclick: () => this.next(by) }, text);
    return h("div", { class: "tools" }, search, filters, sides,
      h("span", { class: "steps" }, step("Previous Transpose", -1, "↑"), step("Next Transpose", 1, "↓")),
      this.opener(), this.count);
  }

  opener() {
    const button = h("button", { type: "button", class: "quiet", onclick: () => {
      const open = button.textContent.startsWith("Expand");
      this.openAll(open);
      button.textContent = open ? "Collapse all" : "Expand all";
    } }, "Expand all");
    return button;
  }

  /** A row of buttons of which one is pressed. */
  choice(label, options, field, changed) {
    const buttons = options.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(this[field] === value),
      onclick: () => {
        this[field] = value;
        buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(options[i][0] === value)));
        changed();
      } }, text));
    return h("span", { class: "choice", role: "group", "aria-label": label }, buttons);
  }

  heads() {
    const { before, after } = DATA.rewrite.graphs;
    const head = (side, text, nodes) => h("div", { class: `head ${side}` }, h("b", {}, text), ` ${plural(nodes.length, "node")}`);
    return h("div", { class: "heads" }, head("before", "Before", before), head("after", "After", after));
  }

  matches(leaf) {
    if (this.narrow.matches && !leaf.row[this.side]) return false;
    if (this.filter === "changed" && !leaf.changed) return false;
    if (this.filter === "red" && !leaf.red) return false;
    if (!this.query) return true;
    leaf.text ??= [leaf.row.before, leaf.row.after].filter(Boolean)
      .map((node) => `${node.op} ${node.name} ${node.outputs.map((value) => value.name).join(" ")}`).join(" ").toLowerCase();
    return leaf.text.includes(this.query);
  }

  update() {
    const narrowed = this.filter !== "all" || this.query !== "";
    let found = 0;
    const list = (group) => group.children.flatMap((child) => {
      if (!child.children) {
        const fits = this.matches(child);
        found += Number(fits);
        return fits ? [child] : [];
      }
      const inner = narrowed || child.open ? list(child) : [];
      return narrowed && !inner.length ? [] : [child, ...inner];
    });
    this.shown = list(this.root);
    this.count.textContent = narrowed ? `${integer(found)} of ${integer(this.root.nodes)}` : "";
    this.draw(true);
  }

  height() {
    return this.narrow.matches ? 46 : 30;
  }

  draw(anew = false) {
    const height = this.height();
    this.canvas.style.height = `${Math.max(1, this.shown.length) * height}px`;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - SPARE);
    const last = Math.min(this.shown.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height) + SPARE);
    if (!anew && this.drawn === `${first} ${last} ${height}`) return;
    this.drawn = `${first} ${last} ${height}`;
    const rows = this.shown.slice(first, last).map((item, i) => {
      const row = item.children ? this.groupRow(item) : this.leafRow(item);
      row.style.transform = `translateY(${(first + i) * height}px)`;
      return row;
    });
    this.canvas.replaceChildren(...(rows.length ? rows : [h("p", { class: "none" }, "Nothing fits.")]));
  }

  frame(item, kind, ...cells) {
    const row = h("div", { class: `row ${kind}${item === this.selected ? " selected" : ""}`, role: "treeitem",
      "aria-level": item.depth, "aria-selected": String(item === this.selected),
      "aria-expanded": item.children ? String(item.open) : null, onclick: () => this.choose(item) }, cells);
    row.style.setProperty("--depth", Math.min(item.depth - 1, 12));
    return row;
  }

  groupRow(group) {
    const open = group.open || this.filter !== "all" || this.query !== "";
    return this.frame(group, "group", h("span", { class: "caret" }, open ? "▾" : "▸"),
      h("span", { class: "label", title: group.label.slice(0, 2000) }, elided(group.label, 56)),
      h("span", { class: "muted" }, plural(group.nodes, "node")),
      group.changed > group.red ? h("span", { class: "badge" }, `${integer(group.changed)} changed`) : null,
      group.located ? locatedChip() : null,
      group.red ? h("span", { class: "badge red" }, `${plural(group.red, "Transpose")} · ${bytes(group.bytes)}`) : null);
  }

  leafRow(leaf) {
    const { before, after } = leaf.row;
    const kind = leaf.red ? "red" : !before ? "added" : !after ? "removed" : leaf.changed ? "changed" : "same";
    return this.frame(leaf, `leaf ${kind}${leaf.located ? " located" : ""}`, this.cell(before, "before", leaf), this.cell(after, "after", leaf));
  }

  cell(node, side, leaf) {
    if (!node) return h("span", { class: `cell ${side} empty` });
    const [value] = node.outputs;
    const [domain, op] = node.op.includes("::") ? node.op.split("::") : ["", node.op];
    const remaining = side === "after" && leaf.red ? DATA.rewrite.remaining[node.remaining] : null;
    const why = remaining ? `${bytes(remaining.bytes)} · ${remaining.reason}` : local(node.name);
    return h("span", { class: `cell ${side}` },
      h("b", { class: "op", title: node.op.slice(0, 500) }, elided(op, 28), domain ? h("i", {}, ` ${elided(domain, 18)}`) : null),
      h("span", { class: "what", title: node.name.slice(0, 2000) }, elided(why, 90)),
      h("span", { class: "shape" }, value ? shapeText(value.shape) : ""), value ? chip(value.layout) : null,
      side === "after" && leaf.located ? locatedChip() : null);
  }

  choose(item) {
    this.selected = item;
    if (item.children) item.open = !item.open;
    if (item.children) this.update();
    else {
      this.tell(item);
      this.draw(true);
    }
  }

  openAll(open) {
    const set = (group) => group.children.filter((child) => child.children).forEach((child) => {
      child.open = open;
      set(child);
    });
    set(this.root);
    this.update();
  }

  /** Make a row seen and tell of it, whatever hides it now. */
  reveal(leaf) {
    if (this.side === "before" && (!leaf.row.before || leaf.located)) this.element.querySelector(".sides button:last-child").click();
    if (!this.shown.includes(leaf)) {
      for (let group = leaf.parent; group; group = group.parent) group.open = true;
      if (this.filter !== "all") this.element.querySelector(".choice button").click();
      this.element.querySelector("input").value = this.query = "";
    }
    this.selected = leaf;
    this.update();
    const place = this.shown.indexOf(leaf) * this.height();
    this.scroller.scrollTop = place - this.scroller.clientHeight / 2;
    this.draw(true);
    this.tell(leaf);
  }

  next(by) {
    const at = this.reds.indexOf(this.selected);
    const to = at < 0 ? (by > 0 ? 0 : this.reds.length - 1) : (at + by + this.reds.length) % this.reds.length;
    this.reveal(this.reds[to]);
  }

  key(event) {
    const at = this.shown.indexOf(this.selected);
    const item = this.shown[at];
    const moves = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: this.shown.length - 1 };
    if (event.key in moves) {
      this.selected = this.shown[Math.min(moves[event.key], this.shown.length - 1)];
      const top = this.shown.indexOf(this.selected) * this.height();
      const { scrollTop, clientHeight } = this.scroller;
      if (top < scrollTop) this.scroller.scrollTop = top;
      if (top + this.height() > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height() - clientHeight;
      if (this.selected && !this.selected.children) this.tell(this.selected);
      this.draw(true);
    } else if (item && item.children && (event.key === "Enter" || event.key === " " || (event.key === "ArrowRight" && !item.open)
      || (event.key === "ArrowLeft" && item.open))) {
      this.choose(item);
    } else return;
    event.preventDefault();
  }

  tell(leaf) {
    this.detail.replaceChildren(...(leaf ? told(leaf, this) : [h("p", { class: "muted" },
      this.reds.length ? "Choose a node to see what it reads and makes; ↓ goes to the next Transpose that remains."
        : "Choose a node to see what it reads and makes. No Transpose remains.")]));
  }
}

/** What there is to say of a row. */
function told(leaf, view) {
  const { before, after } = leaf.row;
  const remaining = leaf.red ? DATA.rewrite.remaining[after.remaining] : null;
  return [leaf.located ? locatedTold() : null, remaining ? reason(remaining, view) : null,
    h("div", { class: "sides-told" }, before ? nodeTold("Before", before) : null, after ? nodeTold("After", after) : null)]
    .filter(Boolean);
}

function reason(change, view) {
  const who = view.byNode.get(change.blocker);
  const blocker = who ? h("button", { type: "button", class: "link", onclick: () => view.reveal(who) }, named(change.blocker, 120))
    : named(change.blocker || "none: it is the plan's own choice, or an end of the graph", 120);
  return pairs("why", [["Moves", change.bytes === null ? "unknown bytes" : `${integer(change.bytes)} bytes per inference`],
    ["Value", named(change.value)], ["Layout", [chip(change.stored), " to ", chip(change.needed)]],
    ["Reason", named(change.reason)], ["Blocked by", blocker], ["Made by", named(change.made_by)],
    ["Read by", named(change.readers.join(", ") || "the graph's output")]]);
}

function nodeTold(title, node) {
  const value = ({ name, shape, layout }) => h("li", {}, named(name), " ", h("span", { class: "shape" }, shapeText(shape)), " ",
    chip(layout));
  return h("div", {}, h("h4", {}, title), pairs("", [["Operator", named(node.op)], ["Name", named(node.name || "none")],
    ...(node.body ? [["Body", named(node.body)]] : []),
    ["Reads", h("ul", {}, node.inputs.map((name) => h("li", {}, named(name || "–"))))],
    ["Makes", h("ul", {}, node.outputs.map(value))]]));
}

function pairs(kind, list) {
  return h("dl", { class: kind }, list.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
}
