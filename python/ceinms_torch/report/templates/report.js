"use strict";
// What paper cannot do: read values off, choose a trial, sort and filter tables. The page is whole
// without it.

function make(tag, parent, text = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  parent.append(element);
  return element;
}

// ---- Values under the pointer -------------------------------------------------------------

// Place of a value between the limits of an axis, 0 to 1, and back.
const scale = (log) => (log ? Math.log10 : (value) => value);
const shareOf = (value, [low, high], log) =>
  (scale(log)(value) - scale(log)(low)) / (scale(log)(high) - scale(log)(low));
function valueAt(share, [low, high], log) {
  const value = scale(log)(low) + share * (scale(log)(high) - scale(log)(low));
  return log ? 10 ** value : value;
}

// The drawn point of a line that is nearest to x.
function nearest(line, x) {
  let best = -1;
  line.x.forEach((value, i) => {
    if (value === null || line.y[i] === null) return;
    if (best < 0 || Math.abs(value - x) < Math.abs(line.x[best] - x)) best = i;
  });
  return best;
}

function readOff(figure) {
  const svg = figure.querySelector("svg");
  const panels = JSON.parse(figure.querySelector("script.values").textContent);
  const space = "http://www.w3.org/2000/svg";
  const cross = svg.appendChild(document.createElementNS(space, "path"));
  cross.setAttribute("style", "fill: none; stroke: #555; stroke-width: 0.6");
  const box = make("div", figure);
  box.className = "readout";
  box.hidden = true;

  function hide() {
    box.hidden = true;
    cross.removeAttribute("d");
  }

  function show(event) {
    const view = svg.viewBox.baseVal;
    const seen = svg.getBoundingClientRect();
    const px = ((event.clientX - seen.left) / seen.width) * view.width;
    const py = ((event.clientY - seen.top) / seen.height) * view.height;
    const inside = ({ box: [l, t, r, b] }) => px >= l && px <= r && py >= t && py <= b;
    const panel = panels.find(inside);
    if (!panel) return hide();
    const [left, top, right, bottom] = panel.box;
    const x = valueAt((px - left) / (right - left), panel.x, panel.log[0]);
    box.replaceChildren();
    make("b", box, panel.title);
    const found = panel.lines.map((line) => [line, nearest(line, x)]).filter(([, i]) => i >= 0);
    if (!found.length) return hide();
    const [line, i] = found[0];
    make("div", box, `${panel.xlabel}: ${line.x[i]}`);
    for (const [line, i] of found) {
      const row = make("div", box);
      make("span", row, "■ ").style.color = line.colour;
      row.append(`${line.label}: ${line.y[i]}`);
    }
    make("div", box, panel.ylabel);
    const cx = left + shareOf(line.x[i], panel.x, panel.log[0]) * (right - left);
    cross.setAttribute("d", `M${cx} ${top}V${bottom}M${left} ${py}H${right}`);
    box.hidden = false;
    const isRight = event.clientX - seen.left > seen.width / 2;
    box.style.left = isRight ? "auto" : `${event.clientX - seen.left + 24}px`;
    box.style.right = isRight ? `${seen.right - event.clientX + 24}px` : "auto";
    box.style.top = `${event.clientY - seen.top + 8}px`;
  }

  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", hide);
}

// ---- Choosing among figures -----------------------------------------------------------------

function choose(group) {
  const figures = [...group.querySelectorAll("figure[data-choice]")];
  if (figures.length < 2) return;
  const bar = document.createElement("div");
  bar.className = "choose";
  const label = make("label", bar, `${group.dataset.choose}: `);
  const select = make("select", label);
  figures.forEach((figure, i) => (make("option", select, figure.dataset.choice).value = i));
  make("option", select, "all").value = "all";
  select.addEventListener("change", () => {
    figures.forEach((figure, i) => (figure.hidden = select.value !== "all" && +select.value !== i));
  });
  group.before(bar);
  select.dispatchEvent(new Event("change"));
}

// ---- Tables -------------------------------------------------------------------------------

function sortable(table) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const text = (row) => row.cells[column].textContent;
      const compare = (a, b) => {
        const difference = parseFloat(text(a)) - parseFloat(text(b));
        return Number.isNaN(difference) ? text(a).localeCompare(text(b)) : difference;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => (up ? 1 : -1) * compare(a, b));
      table.tBodies[0].append(...rows);
    });
  });
}

function filtered(table) {
  const bar = document.createElement("div");
  bar.className = "choose";
  const input = make("input", make("label", bar, "Show rows with: "));
  input.type = "search";
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.parentElement.before(bar);
}

document.querySelectorAll("figure:has(script.values)").forEach(readOff);
document.querySelectorAll("[data-choose]").forEach(choose);
document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll("table.filtered").forEach(filtered);
// Folded on the screen only, and only by a script that can unfold it for the printer.
const unfold = (isOpen) => document.querySelectorAll("details").forEach((one) => (one.open = isOpen));
unfold(false);
addEventListener("beforeprint", () => unfold(true));
