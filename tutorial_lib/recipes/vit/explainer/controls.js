// What a pointer or a key does.

const gallery = { labels: DATA.gallery.labels, pictures: [] };
const bytes = Uint8Array.from(atob(DATA.gallery.bytes), c => c.charCodeAt(0));
gallery.labels.forEach((label, i) => {
  const pixels = Array.from(bytes.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), b => b / 255);
  gallery.pictures.push(pixels);
  const says = i % 3 < 2 ? "told right" : "told wrong";
  const button = make("button", $("gallery"), { type: "button",
    title: `${CLASSES[label]}, ${says}`, onclick: () => take(i) });
  button.setAttribute("aria-label", `${CLASSES[label]} ${i % 3 + 1}, ${says}`);
  store(pixels);
  const small = make("canvas", button, { width: SIDE, height: SIDE });
  small.getContext("2d").drawImage(stored, 0, 0);
});

function take(i) {
  change({ taken: i, pixels: [...gallery.pictures[i]] }, true);
}

// The maps of all heads: radio buttons, so that arrow keys go from one to the next.
const maps = [];
function addMap(layer, head) {
  const label = make("label", $("maps"));
  const input = make("input", label, { type: "radio", name: "view",
    onchange: () => change({ layer, head }) });
  maps.push({ layer, head, input, canvas: make("canvas", label) });
}
for (const text of ["", "head 1", "head 2", "head 3", "head 4", "mean"]) {
  make("span", $("maps"), { textContent: text });
}
for (let layer = 0; layer < DATA.depth; layer++) {
  make("span", $("maps"), { textContent: `layer ${layer + 1}`, className: "name" });
  for (let head = 0; head <= DATA.heads; head++) addMap(layer, head);
}
make("span", $("maps"), { textContent: "all layers", className: "name" });
addMap(ALL, 0);
make("span", $("maps"), { textContent: "← rollout: of which patches the token is made" }).style
  .cssText = "grid-column: 3 / -1; text-align: left";

const clamp = (v, n) => Math.min(n - 1, Math.max(0, v));
function cellAt(event, cells) {  // [row, column] of a square canvas cut into cells × cells
  const box = event.currentTarget.getBoundingClientRect();
  return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width]
    .map(share => clamp(Math.floor(share * cells), cells));
}
const tokenAt = event => {
  const [row, column] = cellAt(event, GRID);
  return 1 + row * GRID + column;
};

// A soft round brush, 3 pixels wide, drawn along a line; erasing makes black.
function paint([row, column], from = [row, column]) {
  const pixels = [...shown.pixels], ink = shown.tool === "draw" ? Number($("grey").value) : 0;
  const steps = Math.max(1, Math.abs(row - from[0]), Math.abs(column - from[1]));
  for (let i = 1; i <= steps; i++) {
    const along = axis => Math.round(from[axis] + ([row, column][axis] - from[axis]) * i / steps);
    dab(pixels, ink, along(0), along(1));
  }
  const patch = Math.floor(row / PATCH) * GRID + Math.floor(column / PATCH);
  change({ pixels, brush: row * SIDE + column, token: 1 + patch, over: null }, true);
}

function dab(pixels, ink, row, column) {
  for (let r = row - 1; r <= row + 1; r++) {
    for (let c = column - 1; c <= column + 1; c++) {
      if (r < 0 || c < 0 || r >= SIDE || c >= SIDE) continue;
      const share = r === row && c === column ? 1 : r === row || c === column ? 0.75 : 0.3;
      pixels[r * SIDE + c] += share * (ink - pixels[r * SIDE + c]);
    }
  }
}

const picture = $("picture"), looking = () => shown.tool === "look";
const brush = () => [Math.floor(shown.brush / SIDE), shown.brush % SIDE];
picture.onpointermove = event => {
  if (looking() && event.pointerType !== "touch") change({ over: tokenAt(event) });
  if (!looking() && event.buttons) paint(cellAt(event, SIDE), brush());
};
picture.onpointerdown = event => {
  if (looking()) return;
  picture.setPointerCapture(event.pointerId);
  paint(cellAt(event, SIDE));
};
picture.onpointerleave = () => change({ over: null });
picture.onclick = event => {
  if (looking()) change({ token: tokenAt(event), over: null });
};
picture.onfocus = picture.onblur = () => change({});

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
picture.onkeydown = event => {
  const move = MOVES[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Home") change({ token: 0, over: null });
  else if (event.key === " " && !looking()) paint(brush());
  else if (move && looking()) change({ token: 1 + step(token() - 1, move, GRID), over: null });
  else if (move) change({ brush: step(shown.brush, move, SIDE) });
  else return;
  event.preventDefault();
};
function step(at, [down, right], cells) {
  if (at < 0) return 0;  // from the class token to the first patch
  return clamp(Math.floor(at / cells) + down, cells) * cells + clamp(at % cells + right, cells);
}

$("patches").onclick = event => change({ token: tokenAt(event), over: null });
$("matrix").onpointermove = event => change({ over: cellAt(event, TOKENS)[0] });
$("matrix").onpointerleave = () => change({ over: null });
$("matrix").onclick = event => change({ token: cellAt(event, TOKENS)[0], over: null });
$("class-token").onclick = () => change({ token: 0, over: null });
$("heat").onchange = () => change({});
$("clear").onclick = () => change({ pixels: Array(SIDE * SIDE).fill(0), taken: null }, true);
$("restore").onclick = () => take(shown.taken ?? 0);
for (const input of document.querySelectorAll("[name=tool]")) {
  input.onchange = () => change({ tool: input.value });
}
matchMedia("(prefers-color-scheme: dark)").onchange = () => change({}, true);
addEventListener("resize", () => change({}));

$("parameters").textContent = DATA.parameters.toLocaleString("en");
$("code").textContent = $("vit").textContent.trim();
$("footer").textContent = `The model learned from ${DATA.learned.toLocaleString("en")} pictures of `
  + `Fashion-MNIST (Zalando SE, MIT licence) and tells ${(100 * DATA.accuracy).toFixed(1)} % of `
  + "2,000 others right. Its tables are stored here in 8 bits. Nothing leaves this page.";
