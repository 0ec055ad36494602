"use strict";
// Reads the data, draws the page, and lets the reader choose light or dark.

const DATA = JSON.parse(document.getElementById("data").textContent);
const THEMES = ["auto", "light", "dark"];

function themed(button) {
  let at = 0;
  const show = () => {
    document.documentElement.dataset.theme = THEMES[at];
    button.textContent = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" }[THEMES[at]];
    button.setAttribute("aria-label", `Colours: ${THEMES[at]}`);
  };
  button.addEventListener("click", () => {
    at = (at + 1) % THEMES.length;
    show();
  });
  show();
}

function draw() {
  const { before, after } = DATA.rewrite.graphs;
  const view = new GraphView(treeOf(aligned(before, after)));
  document.title = `${elided(fileName(DATA.model), 80)} to ${DATA.rewrite.to.toUpperCase()}`;
  const sections = [verdict(view), contract(), remains(view), graph(view), operators(), errors(), times(), proof()].filter(Boolean);
  document.getElementById("main").replaceChildren(...sections);
  const titled = sections.filter((one) => one.querySelector("h2"));
  document.getElementById("nav").replaceChildren(
    ...titled.map((one) => h("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)));
  view.update();
}

themed(document.getElementById("theme"));
draw();
