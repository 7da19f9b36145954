// A scatter of images on WebGL: axes, hover thumbnails from one sheet, lasso, click, wheel, keyboard. Everything but the
// selection happens in the browser. Points lie in [-1, 1]; `low` and `high` give the values at the ends of the axes.
const SHAPES = `#version 300 es
precision highp float;
in vec3 hue; in float form; in float dim; out vec4 colour;
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  bool inside = form < 0.5 ? dot(p, p) < 1.0 : form < 1.5 ? max(abs(p.x), abs(p.y)) < 0.82
    : form < 2.5 ? p.y > 2.0 * abs(p.x) - 1.0 && p.y < 0.9 : abs(p.x) + abs(p.y) < 1.0;
  if (!inside) discard;
  colour = vec4(hue, 1.0) * dim;
}`;
const PLACES = `#version 300 es
in vec2 at; in vec3 tint; in float kind; in float mark; uniform vec3 view; uniform float size; uniform float some;
out vec3 hue; out float form; out float dim;
void main() {
  gl_Position = vec4((at - view.xy) * view.z, 0.0, 1.0);
  gl_PointSize = size * (mark > 0.5 ? 1.7 : 1.0);
  hue = tint; form = kind; dim = some > 0.5 && mark < 0.5 ? 0.18 : 0.9;
}`;
const PAD = { left: 52, right: 10, top: 10, bottom: 34 };
const copy = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, PLACES], [gl.FRAGMENT_SHADER, SHAPES]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  return made;
}

function steps(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough), found = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(v);
  return found;
}

function inside(polygon, x, y) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i], [bx, by] = polygon[j];
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

function render({ model, el }) {
  const root = document.createElement("div"), plot = document.createElement("canvas"), over = document.createElement("canvas");
  const bar = document.createElement("div"), button = document.createElement("button"), live = document.createElement("div");
  root.className = "reidkit-map";
  button.type = "button";
  button.title = "Draw around points to select them (key L); otherwise dragging moves the map";
  live.setAttribute("aria-live", "polite");
  live.className = "reidkit-map-words";
  bar.append(button, " wheel or + − zoom · drag or arrows move · click or Enter pick · Esc clears · 0 shows all");
  over.tabIndex = 0;
  over.setAttribute("role", "application");
  const frame = document.createElement("div");
  frame.className = "reidkit-map-frame";
  frame.style.height = `${model.get("height")}px`;
  frame.append(plot, over);
  root.append(bar, frame, live);
  el.append(root);
  const gl = plot.getContext("webgl2", { antialias: false, premultipliedAlpha: true }), pen = over.getContext("2d");
  if (!gl) {
    live.textContent = "This browser offers no WebGL 2: use .static() for a picture of the same map.";
    return () => root.remove();
  }
  const shader = program(gl), buffers = {}, place = (name) => gl.getUniformLocation(shader, name);
  let rows = new Int32Array(), xy = new Float32Array(), marks = new Float32Array(), codes = {}, sheet = null, sheetPlace = new Int32Array();
  let view = [0, 0, 0.95], path = null, drag = null, hover = -1, lasso = false, dirty = true, alive = true;
  const feed = (name, data, size) => {
    buffers[name] = buffers[name] || gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    const where = gl.getAttribLocation(shader, name);
    gl.enableVertexAttribArray(where);
    gl.vertexAttribPointer(where, size, data instanceof Uint8Array && name === "tint" ? gl.UNSIGNED_BYTE : gl.FLOAT, name === "tint", 0, 0);
  };
  const area = () => [over.clientWidth - PAD.left - PAD.right, over.clientHeight - PAD.top - PAD.bottom];
  const screen = (i) => {
    const [w, h] = area();
    return [PAD.left + ((xy[2 * i] - view[0]) * view[2] + 1) / 2 * w, PAD.top + (1 - (xy[2 * i + 1] - view[1]) * view[2]) / 2 * h];
  };
  const nearest = (x, y, reach) => {
    let best = -1, least = reach * reach;
    for (let i = 0; i < marks.length; i++) {
      const [a, b] = screen(i), far = (a - x) ** 2 + (b - y) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  };
  const words = (i) => [`image ${rows[i]}`, ...Object.entries(codes).map(([name, code]) =>
    `${name} ${code[i] < 0 ? (name === "cluster" ? "none" : "unknown") : model.get("names")[name][code[i]]}`)].join(" · ");
  const points = () => {
    xy = new Float32Array(copy(model.get("xy")).buffer);
    rows = new Int32Array(copy(model.get("rows")).buffer);
    codes = Object.fromEntries(Object.entries(model.get("codes")).map(([k, v]) => [k, new Int32Array(copy(v).buffer)]));
    feed("at", xy, 2);
    colours();
    chosen();
  };
  const colours = () => {
    feed("tint", copy(model.get("rgb")), 3);
    feed("kind", Float32Array.from(copy(model.get("forms"))), 1);
    dirty = true;
  };
  const chosen = () => {
    marks = new Float32Array(rows.length);
    for (const i of new Int32Array(copy(model.get("selected")).buffer)) marks[i] = 1;
    feed("mark", marks, 1);
    dirty = true;
  };
  const select = (found) => {
    model.set("selected", new DataView(Int32Array.from(found).buffer));
    model.save_changes();
    chosen();
    live.textContent = `${found.length} selected`;
  };
  const sprites = async () => {
    const bytes = copy(model.get("sprite"));
    sheetPlace = new Int32Array(copy(model.get("places")).buffer);
    sheet = bytes.length ? await createImageBitmap(new Blob([bytes])) : null;
    dirty = true;
  };
  const axes = () => {
    const [w, h] = area(), low = model.get("low"), high = model.get("high"), ratio = window.devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, over.clientWidth, over.clientHeight);
    pen.font = "11px sans-serif";
    pen.fillStyle = pen.strokeStyle = "#444";
    pen.lineWidth = 1;
    pen.strokeRect(PAD.left + 0.5, PAD.top + 0.5, w - 1, h - 1);
    for (const side of [0, 1]) {
      const value = (p) => low[side] + (p + 1) / 2 * (high[side] - low[side]), ends = [view[side] - 1 / view[2], view[side] + 1 / view[2]];
      for (const v of steps(value(ends[0]), value(ends[1]))) {
        const p = ((v - low[side]) / (high[side] - low[side]) * 2 - 1 - view[side]) * view[2], label = String(+v.toPrecision(3));
        pen.textAlign = side ? "right" : "center";
        if (side) pen.fillText(label, PAD.left - 5, PAD.top + (1 - p) / 2 * h + 4);
        else pen.fillText(label, PAD.left + (p + 1) / 2 * w, PAD.top + h + 13);
      }
    }
    pen.textAlign = "center";
    pen.fillText(model.get("labels")[0], PAD.left + w / 2, PAD.top + h + 29);
    pen.save();
    pen.translate(11, PAD.top + h / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(model.get("labels")[1], 0, 0);
    pen.restore();
    if (path) {
      pen.strokeStyle = "#000";
      pen.setLineDash([4, 3]);
      pen.beginPath();
      path.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
      pen.stroke();
      pen.setLineDash([]);
    }
    if (hover >= 0) tip();
  };
  const tip = () => {
    const [x, y] = screen(hover), text = words(hover), at = sheetPlace.length ? sheetPlace[hover] : -1, [tw, th, across] = model.get("tile");
    const tall = sheet && at >= 0 ? 2 * th : 0, wide = Math.max(pen.measureText(text).width + 12, tall ? 2 * tw + 8 : 0);
    const left = Math.max(2, Math.min(x + 12, over.clientWidth - wide - 2)), top = Math.max(2, Math.min(y + 12, over.clientHeight - tall - 26));
    pen.fillStyle = "rgba(255,255,255,.95)";
    pen.strokeStyle = "#000";
    pen.fillRect(left, top, wide, tall + 22);
    pen.strokeRect(left + 0.5, top + 0.5, wide, tall + 22);
    pen.strokeRect(x - 6, y - 6, 12, 12);
    pen.fillStyle = "#000";
    pen.textAlign = "left";
    pen.fillText(text, left + 6, top + tall + 15);
    if (tall) pen.drawImage(sheet, at % across * tw, Math.floor(at / across) * th, tw, th, left + 4, top + 4, 2 * tw, 2 * th);
  };
  const draw = () => {
    if (!alive) return;
    if (dirty && over.clientWidth) {
      dirty = false;
      const ratio = window.devicePixelRatio || 1;
      for (const canvas of [plot, over]) {
        const w = Math.round(over.clientWidth * ratio), h = Math.round(over.clientHeight * ratio);
        if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
      }
      const [w, h] = area();
      gl.viewport(PAD.left * ratio, PAD.bottom * ratio, w * ratio, h * ratio);
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(PAD.left * ratio, PAD.bottom * ratio, w * ratio, h * ratio);
      gl.clearColor(1, 1, 1, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.useProgram(shader);
      gl.uniform3f(place("view"), view[0], view[1], view[2]);
      gl.uniform1f(place("size"), model.get("size") * ratio);
      gl.uniform1f(place("some"), marks.includes(1) ? 1 : 0);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.drawArrays(gl.POINTS, 0, marks.length);
      axes();
    }
    requestAnimationFrame(draw);
  };
  const zoom = (factor, x, y) => {
    const [w, h] = area(), px = (x - PAD.left) / w * 2 - 1, py = 1 - (y - PAD.top) / h * 2, next = Math.min(400, Math.max(0.5, view[2] * factor));
    view = [view[0] + px / view[2] - px / next, view[1] + py / view[2] - py / next, next];
    dirty = true;
  };
  const move = (dx, dy) => {
    const [w, h] = area();
    view = [view[0] - dx / w * 2 / view[2], view[1] + dy / h * 2 / view[2], view[2]];
    dirty = true;
  };
  const pick = (i) => {
    if (i < 0) return;
    select([i]);
    live.textContent = words(i);
  };
  const mode = (on) => {
    lasso = on;
    button.textContent = lasso ? "Lasso: on" : "Lasso: off";
    button.setAttribute("aria-pressed", String(lasso));
    over.style.cursor = lasso ? "crosshair" : "grab";
  };
  const where = (event) => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  button.addEventListener("click", () => mode(!lasso));
  over.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...where(event)); }, { passive: false });
  over.addEventListener("pointerdown", (event) => {
    over.setPointerCapture(event.pointerId);
    drag = { from: where(event), last: where(event), moved: false };
    if (lasso || event.shiftKey) path = [drag.from];
  });
  over.addEventListener("pointermove", (event) => {
    const [x, y] = where(event);
    if (drag) {
      drag.moved = drag.moved || Math.hypot(x - drag.from[0], y - drag.from[1]) > 3;
      if (path) path.push([x, y]);
      else move(x - drag.last[0], y - drag.last[1]);
      drag.last = [x, y];
      dirty = true;
      return;
    }
    const found = nearest(x, y, 10);
    if (found !== hover) { hover = found; dirty = true; }
  });
  over.addEventListener("pointerup", (event) => {
    if (path && path.length > 2) {
      const found = [];
      for (let i = 0; i < marks.length; i++) if (inside(path, ...screen(i))) found.push(i);
      select(found);
    } else if (drag && !drag.moved) pick(nearest(...where(event), 10));
    drag = path = null;
    dirty = true;
  });
  over.addEventListener("pointerleave", () => { hover = -1; dirty = true; });
  over.addEventListener("keydown", (event) => {
    const middle = [over.clientWidth / 2, over.clientHeight / 2];
    const acts = {
      ArrowLeft: () => move(30, 0), ArrowRight: () => move(-30, 0), ArrowUp: () => move(0, 30), ArrowDown: () => move(0, -30),
      "+": () => zoom(1.25, ...middle), "=": () => zoom(1.25, ...middle), "-": () => zoom(0.8, ...middle), 0: () => { view = [0, 0, 0.95]; dirty = true; },
      Enter: () => pick(nearest(...middle, 1e9)), Escape: () => select([]), l: () => mode(!lasso), L: () => mode(!lasso),
    };
    if (!acts[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  });
  const alt = () => over.setAttribute("aria-label", model.get("alt"));
  const links = { "change:xy": points, "change:rgb": colours, "change:selected": chosen, "change:sprite": sprites, "change:alt": alt };
  for (const [name, act] of Object.entries(links)) model.on(name, act);
  const watch = new ResizeObserver(() => { dirty = true; });
  watch.observe(frame);
  mode(false);
  alt();
  points();
  sprites();
  draw();
  return () => {
    alive = false;
    watch.disconnect();
    for (const [name, act] of Object.entries(links)) model.off(name, act);
    gl.getExtension("WEBGL_lose_context")?.loseContext();
    root.remove();
  };
}
export default { render };
