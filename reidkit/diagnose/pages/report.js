"use strict";
// Tables: a click (or Enter) on a heading sorts by it; numbers by value, undefined ones last.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[column].textContent;
    const rows = [...table.tBodies[0].rows].map((row) => [row, key(row), key(row) === "" ? NaN : Number(key(row))]);
    rows.sort(([, a, x], [, b, y]) => {
      if ((a === "–") !== (b === "–")) return a === "–" ? 1 : -1;
      const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows.map(([row]) => row));
  }));
}
// Map: points on a canvas; what is nearest to the pointer (or to the cross that arrow keys move) is read out below.
const store = document.getElementById("map-data");
if (store) {
  const data = JSON.parse(store.textContent), canvas = document.getElementById("points"), pen = canvas.getContext("2d");
  const bytes = Uint8Array.from(atob(data.xy), (c) => c.charCodeAt(0)), xy = new Uint16Array(bytes.buffer), n = xy.length / 2;
  const hues = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#767676"];
  const px = (i) => 10 + xy[2 * i] / 65535 * (canvas.width - 20), py = (i) => 10 + (1 - xy[2 * i + 1] / 65535) * (canvas.height - 20);
  const cell = 12, across = Math.ceil(canvas.width / cell), grid = new Map();
  for (let i = 0; i < n; i++) {
    const key = Math.floor(py(i) / cell) * across + Math.floor(px(i) / cell);
    if (grid.has(key)) grid.get(key).push(i); else grid.set(key, [i]);
  }
  const shapes = [(x, y) => pen.fillRect(x - 2, y - 2, 4, 4), (x, y) => { pen.beginPath(); pen.arc(x, y, 2.4, 0, 7); pen.fill(); },
    (x, y) => { pen.beginPath(); pen.moveTo(x, y - 3); pen.lineTo(x + 3, y + 2); pen.lineTo(x - 3, y + 2); pen.fill(); }];
  let colour = data.colours[0], at = null;
  const draw = () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const codes = data.codes[colour];
    for (let i = 0; i < n; i++) {
      pen.fillStyle = codes[i] < 0 ? "#c8c8c8" : hues[codes[i] % hues.length];
      shapes[codes[i] < 0 ? 0 : Math.floor(codes[i] / hues.length) % shapes.length](px(i), py(i));
    }
    if (at) { pen.strokeStyle = "#000"; pen.lineWidth = 1.5; pen.strokeRect(at[0] - 6, at[1] - 6, 12, 12); }
  };
  const tell = (x, y) => {
    let best = -1, least = 144;
    const cx = Math.floor(x / cell), cy = Math.floor(y / cell);
    for (let r = cy - 1; r <= cy + 1; r++) for (let c = cx - 1; c <= cx + 1; c++) for (const i of grid.get(r * across + c) || []) {
      const far = (px(i) - x) ** 2 + (py(i) - y) ** 2;
      if (far < least) { least = far; best = i; }
    }
    const words = best < 0 ? "" : [data.prefix + data.paths[best], ...data.colours.map((name) =>
      `${name} ${data.codes[name][best] < 0 ? data.none[name] : data.names[name][data.codes[name][best]]}`)].join(" · ");
    document.getElementById("hover").textContent = words;
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    tell((event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (!step) return;
    event.preventDefault();
    at = at || [canvas.width / 2, canvas.height / 2];
    at = [Math.min(canvas.width, Math.max(0, at[0] + step[0])), Math.min(canvas.height, Math.max(0, at[1] + step[1]))];
    draw();
    tell(at[0], at[1]);
  });
  document.getElementById("colour").addEventListener("change", (event) => { colour = event.target.value; draw(); });
  draw();
}
