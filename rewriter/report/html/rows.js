"use strict";
// Two lists of nodes as rows side by side, and the rows as a tree by the scopes of names.

const LONG = 48; // leaves in a row from which on they are put in chunks
const CHUNK = 24;
const DEEPEST = 16; // of scopes: names may hold any number of slashes

/** The keys of nodes: names, else what they make; the same for the second of a name as in the other list. */
function keysOf(nodes) {
  const seen = new Map();
  return nodes.map((node) => {
    const name = node.name || (node.outputs.length ? node.outputs[0].name : node.op);
    const count = seen.get(name) || 0;
    seen.set(name, count + 1);
    return `${count}/${name}`;
  });
}

/** Which places, in order, make the longest rising sequence of the numbers. */
function rising(numbers) {
  const ends = [];
  const before = new Array(numbers.length).fill(-1);
  numbers.forEach((number, i) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[ends[middle]] < number) low = middle + 1;
      else high = middle;
    }
    before[i] = low ? ends[low - 1] : -1;
    ends[low] = i;
  });
  const places = [];
  for (let i = ends.length ? ends[ends.length - 1] : -1; i >= 0; i = before[i]) places.push(i);
  return places.reverse();
}

/** Rows of `{before, after}`: nodes of one key are on one row, as far as they come in the same order. */
function aligned(before, after) {
  const left = keysOf(before);
  const right = keysOf(after);
  const place = new Map(left.map((key, i) => [key, i]));
  const shared = right.map((key, i) => [place.get(key), i]).filter(([i]) => i !== undefined);
  const anchors = rising(shared.map(([i]) => i)).map((i) => shared[i]);
  const rows = [];
  let [i, j] = [0, 0];
  for (const [ni, nj] of [...anchors, [before.length, after.length]]) {
    while (i < ni) rows.push({ before: before[i++], after: null });
    while (j < nj) rows.push({ before: null, after: after[j++] });
    if (i < before.length && j < after.length) rows.push({ before: before[i++], after: after[j++] });
  }
  return rows;
}

function isChanged({ before, after }) {
  if (!before || !after || before.op !== after.op) return true;
  const told = (node) => node.outputs.map((value) => value.layout).join();
  return told(before) !== told(after) || String(before.outputs[0]?.shape) !== String(after.outputs[0]?.shape);
}

function scopeOf(node) {
  const split = node.name.split(node.name.includes("/") ? "/" : ".").filter(Boolean);
  return [...node.body.split("/").filter(Boolean), ...split.slice(0, -1)].slice(0, DEEPEST);
}

/** The scope of each row; what was added stands with what it was added for: the next node that was there before. */
function scopes(rows) {
  const found = rows.map((row) => (row.before ? scopeOf(row.before) : null));
  let next = null;
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    if (rows[i].before && rows[i].after) next = found[i];
    else if (!found[i]) found[i] = next;
  }
  let last = [];
  return found.map((scope) => (last = scope || last));
}

/** The tree of rows: groups of `{label, children}`, and rows, in order of first appearance. */
function treeOf(rows) {
  const root = { label: "", children: [], groups: new Map() };
  const where = scopes(rows);
  rows.forEach((row, number) => {
    let group = root;
    for (const part of where[number]) {
      if (!group.groups.has(part)) {
        const inner = { label: part, children: [], groups: new Map() };
        group.groups.set(part, inner);
        group.children.push(inner);
      }
      group = group.groups.get(part);
    }
    group.children.push({ row, number });
  });
  return finished(root, 0, null);
}

/** Chains of single groups become one, long runs of rows chunks; with depths, parents and sums. */
function finished(group, depth, parent) {
  delete group.groups;
  while (depth && group.children.length === 1 && group.children[0].children) {
    const only = group.children[0];
    group.label = `${group.label}/${only.label}`;
    group.children = only.children;
  }
  group.children = group.chunk ? group.children : chunked(group.children);
  Object.assign(group, { depth, parent, open: depth === 0, nodes: 0, red: 0, bytes: 0, changed: 0, located: 0 });
  for (const child of group.children) {
    if (child.children) finished(child, depth + 1, group);
    else Object.assign(child, { depth: depth + 1, parent: group, changed: Number(isChanged(child.row)),
      located: Number(isLocated(child.row)), ...redOf(child.row) });
    group.nodes += child.children ? child.nodes : 1;
    for (const sum of ["red", "bytes", "changed", "located"]) group[sum] += child[sum];
  }
  return group;
}

function redOf({ after }) {
  const is = after !== null && after.remaining !== null;
  return { red: Number(is), bytes: is ? DATA.rewrite.remaining[after.remaining].bytes || 0 : 0 };
}

function chunked(children) {
  const result = [];
  for (let i = 0; i < children.length; ) {
    let end = i;
    while (end < children.length && !children[end].children) end += 1;
    const run = children.slice(i, end);
    if (run.length <= LONG) result.push(...run);
    else for (let k = 0; k < run.length; k += CHUNK) result.push(chunk(run.slice(k, k + CHUNK)));
    if (end < children.length) result.push(children[end]);
    i = end + 1;
  }
  return result;
}

function chunk(children) {
  const op = ({ row }) => (row.after || row.before).op.split("::").pop();
  return { label: `${op(children[0])} … ${op(children[children.length - 1])}`, children, chunk: true };
}
