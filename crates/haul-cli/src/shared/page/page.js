"use strict";
// Reads charts out under the pointer or by arrow keys, sorts and searches tables. The page can be read without it.
(() => {
  const make = (name, attributes, ...inside) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  };
  const draw = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  const chart = ({ id, lines, points }) => {
    const figure = document.getElementById(id);
    const plot = figure.querySelector(".plot"), tip = figure.querySelector(".tip"), said = figure.querySelector(".said");
    let at = -1, marks = [];
    const shown = () => [...plot.querySelectorAll("svg")].find((svg) => svg.getBoundingClientRect().width > 0);
    const plane = (svg) => {
      const [x0, x1, y0, y1] = ["x0", "x1", "y0", "y1"].map((name) => Number(svg.dataset[name]));
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      return { x0, x1, y0, y1, scale };
    };
    const hide = () => {
      marks.forEach((mark) => mark.remove());
      marks = [];
      tip.hidden = true;
    };
    const show = (next, speak) => {
      const svg = shown();
      if (!svg || points.length === 0) return;
      at = Math.max(0, Math.min(points.length - 1, next));
      const { at: place, label, values } = points[at];
      const { x0, x1, y0, y1, scale } = plane(svg);
      const x = x0 + place * (x1 - x0);
      hide();
      marks.push(draw("line", { class: "cursor", x1: x, x2: x, y1: y0, y2: y1, "stroke-width": 1 / scale }));
      values.forEach(([, height], line) => marks.push(draw("circle", {
        class: "k" + lines[line][1], cx: x, cy: y1 - height * (y1 - y0), r: 4 / scale,
      })));
      svg.append(...marks);
      const rows = values.map(([text], line) => make("div", {}, make("i", { class: "k" + lines[line][1] }),
        lines.length > 1 ? lines[line][0] + ": " + text : text));
      tip.replaceChildren(make("b", {}, label), ...rows);
      tip.hidden = false;
      const room = plot.clientWidth - tip.offsetWidth;
      const beside = x * scale + 14;
      tip.style.left = Math.max(0, beside <= room ? beside : x * scale - 14 - tip.offsetWidth) + "px";
      if (speak) said.textContent = label + " · " + values.map(([text], line) => lines[line][0] + ": " + text).join(" · ");
    };
    const nearest = (event) => {
      const svg = shown();
      if (!svg) return;
      const { x0, x1, scale } = plane(svg);
      const place = ((event.clientX - svg.getBoundingClientRect().left) / scale - x0) / (x1 - x0);
      let best = 0;
      points.forEach((point, n) => {
        if (Math.abs(point.at - place) < Math.abs(points[best].at - place)) best = n;
      });
      show(best, false);
    };
    plot.addEventListener("pointermove", nearest);
    plot.addEventListener("pointerdown", nearest);
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const far = Math.max(1, Math.round(points.length / 10));
      const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, PageUp: at + far, PageDown: at - far, Home: 0, End: points.length - 1 };
      if (event.key === "Escape") hide();
      if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      show(steps[event.key], true);
    });
  };

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = make("button", { type: "button" }, head.textContent);
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const numbers = head.classList.contains("n");
        const now = head.getAttribute("aria-sort");
        const up = now === "none" ? !numbers : now === "descending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const compare = (a, b) => {
          const [left, right] = [value(a, column), value(b, column)];
          return typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right));
        };
        const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(a, b));
        body.replaceChildren(...rows);
      });
    });
  };
  const searchable = (table) => {
    const rows = [...table.tBodies[0].rows], name = table.caption.textContent;
    const input = make("input", { type: "search", "aria-label": "Search: " + name, placeholder: "Search" });
    const told = make("output", {}, rows.length + " rows");
    table.parentElement.before(make("div", { class: "find" }, input, told));
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        left += row.hidden ? 0 : 1;
      }
      told.textContent = left === rows.length ? rows.length + " rows" : left + " of " + rows.length + " rows";
    });
  };

  JSON.parse(document.getElementById("data").textContent).forEach(chart);
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("table.searchable").forEach(searchable);
})();
