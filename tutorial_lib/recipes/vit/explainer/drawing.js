// Pictures of numbers: each function paints one canvas. Colours are the page's own, light or dark.

const SIDE = DATA.side, GRID = DATA.grid, PATCH = DATA.patch;
const GAP = 0.3;  // between the class token and the picture, in patches
const rowOf = patch => Math.floor(patch / GRID), columnOf = patch => patch % GRID;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const grey = value => `rgb(${[0, 0, 0].fill(Math.round(255 * value))})`;

function sharp(canvas) {  // a cleared canvas to draw on in CSS pixels
  const { width, height } = canvas.getBoundingClientRect(), dense = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * dense));
  canvas.height = Math.max(1, Math.round(height * dense));
  const pen = canvas.getContext("2d");
  pen.scale(canvas.width / (width || 1), canvas.height / (height || 1));
  return [pen, width, height];
}

const stored = document.createElement("canvas");  // the picture, a dot for each pixel
function store(pixels) {
  stored.width = stored.height = SIDE;
  const pen = stored.getContext("2d"), image = pen.createImageData(SIDE, SIDE);
  pixels.forEach((v, i) => image.data.set([255 * v, 255 * v, 255 * v, 255], 4 * i));
  pen.putImageData(image, 0, 0);
}

function paintPicture(pen, size, top, dim) {
  pen.imageSmoothingEnabled = false;
  pen.drawImage(stored, 0, top, size, size);
  pen.fillStyle = `rgba(0, 0, 0, ${dim})`;
  pen.fillRect(0, top, size, size);
}

function frame(pen, x, y, size) {
  for (const [line, style] of [[4, "rgba(0,0,0,.6)"], [2, colour("--mark")]]) {
    pen.lineWidth = line;
    pen.strokeStyle = style;
    pen.strokeRect(x + 1, y + 1, size - 2, size - 2);
  }
}

// A patch a square, in the heat's colour: share 0 leaves the picture as it is.
function paintShares(pen, shares, size, top = 0) {
  const most = Math.max(...shares), cell = size / GRID, heat = colour("--heat");
  for (let p = 0; p < GRID * GRID; p++) {
    pen.fillStyle = `rgba(${heat}, ${0.9 * shares[p + 1] / most})`;
    pen.fillRect(columnOf(p) * cell, top + rowOf(p) * cell, cell, cell);
  }
}

function markToken(pen, token, size, top = 0) {
  const cell = size / GRID, p = token - 1;
  if (token === 0) frame(pen, 0, 0, cell);
  else frame(pen, columnOf(p) * cell, top + rowOf(p) * cell, cell);
}

// The large picture; the brush, if there is one, is a pixel that it stands on.
function drawPicture(canvas, { shares, token, brush }) {
  const [pen, size] = sharp(canvas), cell = size / GRID;
  paintPicture(pen, size, 0, shares ? 0.35 : 0);
  if (shares) paintShares(pen, shares, size);
  pen.strokeStyle = "rgba(160,160,160,.35)";
  pen.lineWidth = 1;
  for (let i = 1; i < GRID; i++) {
    pen.strokeRect(i * cell, -1, 0, size + 2);
    pen.strokeRect(-1, i * cell, size + 2, 0);
  }
  if (token > 0) markToken(pen, token, size);
  if (brush !== null) frame(pen, brush % SIDE * size / SIDE - 4,
    Math.floor(brush / SIDE) * size / SIDE - 4, size / SIDE + 8);
}

// A small one, with a square for the class token above it.
function drawMap(canvas, shares, token) {
  const [pen, size] = sharp(canvas), cell = size / GRID, top = (1 + GAP) * cell;
  paintPicture(pen, size, top, 0.5);
  paintShares(pen, shares, size, top);
  pen.fillStyle = "#777";
  pen.fillRect(0, 0, cell, cell);
  pen.fillStyle = `rgba(${colour("--heat")}, ${0.9 * shares[0] / Math.max(...shares)})`;
  pen.fillRect(0, 0, cell, cell);
  markToken(pen, token, size, top);
}

function drawPatches(canvas, token) {
  const [pen, size] = sharp(canvas), step = size / GRID, side = step * 0.84;
  pen.imageSmoothingEnabled = false;
  for (let p = 0; p < GRID * GRID; p++) {
    const x = columnOf(p) * step, y = rowOf(p) * step;
    pen.drawImage(stored, columnOf(p) * PATCH, rowOf(p) * PATCH, PATCH, PATCH, x, y, side, side);
    if (p === token - 1) frame(pen, x, y, side);
  }
}

// Numbers as cells: zero is the ground, `limit` and -limit are full colour.
const signed = (v, limit) =>
  `rgba(${colour(v < 0 ? "--cold" : "--heat")}, ${Math.min(1, Math.abs(v) / limit)})`;

function drawStrip(canvas, values, limit) {
  const [pen, width, height] = sharp(canvas), step = width / 64;  // 16 numbers fill a quarter
  values.forEach((v, i) => {
    for (const fill of [colour("--soft"), signed(v, limit)]) {
      pen.fillStyle = fill;
      pen.fillRect(i * step, 0, step - (step > 4 ? 1 : 0), height);
    }
  });
}

function drawAlike(canvas, values, token) {
  const [pen, size] = sharp(canvas), cell = size / GRID, top = (1 + GAP) * cell;
  values.forEach((v, i) => {
    const [x, y] = i ? [columnOf(i - 1) * cell, top + rowOf(i - 1) * cell] : [0, 0];
    for (const fill of [colour("--soft"), signed(v, 1)]) {
      pen.fillStyle = fill;
      pen.fillRect(x, y, cell - 1, cell - 1);
    }
  });
  markToken(pen, token, size, top);
}

function drawMatrix(canvas, rows, token) {
  const [pen, size] = sharp(canvas), cell = size / rows.length, heat = colour("--heat");
  rows.forEach((row, i) => {
    const most = Math.max(...row);
    row.forEach((share, j) => {
      pen.fillStyle = `rgba(${heat}, ${share / most})`;
      pen.fillRect(j * cell, i * cell, cell + 0.3, cell + 0.3);
    });
  });
  pen.lineWidth = 1.5;
  pen.strokeStyle = colour("--mark");
  pen.strokeRect(1, token * cell - 0.5, size - 2, cell + 1);
}
