// What happens on the page: a state, and one function that shows it.

const model = unpack(DATA), CLASSES = DATA.classes, ALL = "all";
const TOKENS = 1 + GRID * GRID, LIMIT = 2.5;  // LIMIT: what is full colour in the strips
const $ = id => document.getElementById(id);
const shown = { pixels: [], taken: 0, token: 24, over: null, layer: DATA.depth - 1, head: 1,
                tool: "look", brush: 14 * SIDE + 14 };
let trace;  // every step of the model for these pixels

const make = (tag, parent, props = {}) => {
  const node = Object.assign(document.createElement(tag), props);
  parent?.append(node);
  return node;
};
const token = () => shown.over ?? shown.token;
const percent = p => p > 0.9995 ? "100 %" : `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;
const nameOf = t => t === 0 ? "the class token"
  : `the patch in row ${rowOf(t - 1) + 1}, column ${columnOf(t - 1) + 1}`;
const ofKind = i => /^[aeiou]/.test(CLASSES[i]) ? `an ${CLASSES[i]}` : `a ${CLASSES[i]}`;
const largest = values => values.indexOf(Math.max(...values));

// The shares of all tokens in one view: a head of a layer, the mean of a layer, or the rollout.
function sharesOf(layer, head) {
  if (layer === ALL) return trace.rollout;
  const { shares } = trace.layers[layer];
  if (head < DATA.heads) return shares[head];
  return shares[0].map((row, i) => row.map((_, j) => mean(shares.map(table => table[i][j]))));
}
const viewName = (layer, head) => layer === ALL ? "rollout through all layers"
  : `layer ${layer + 1}, ${head < DATA.heads ? `head ${head + 1}` : "the heads' mean"}`;

function compute() {
  trace = forward(model, shown.pixels);
  trace.rollout = rollout(trace.layers);
  trace.probabilities = softmax(trace.logits);
  store(shown.pixels);
}

function tellVerdict() {
  const order = [...CLASSES.keys()].sort((a, b) => trace.logits[b] - trace.logits[a]);
  const truth = shown.taken === null ? null : gallery.labels[shown.taken];
  const said = make("div", null);
  make("strong", said, { textContent: `The model sees ${ofKind(order[0])}.` });
  if (truth !== null) {
    said.append(order[0] === truth ? " It is right." : ` It is ${ofKind(truth)}.`);
  }
  const bars = order.slice(0, 3).map(i => {
    const bar = make("div", null, { className: "bar" });
    make("span", bar, { textContent: CLASSES[i] });
    make("i", make("span", bar)).style.width = `${100 * trace.probabilities[i]}%`;
    make("span", bar, { textContent: percent(trace.probabilities[i]) });
    return bar;
  });
  $("verdict").replaceChildren(said, ...bars);
}

function showPatch() {
  const t = token(), i = t - 1;
  drawPatches($("patches"), t);
  $("pixels").replaceChildren();
  $("pixels-of").textContent = t === 0
    ? "The class token has no pixels. Choose a patch to see its numbers."
    : `The 16 numbers of ${nameOf(t)}: 0 is black, 1 is white.`;
  for (const v of t === 0 ? [] : cut(shown.pixels, DATA)[i]) {
    const cell = make("span", $("pixels"), { textContent: v.toFixed(2) });
    cell.style.cssText = `background:${grey(v)};color:${v > 0.5 ? "#000" : "#fff"}`;
  }
}

function showToken() {
  const t = token(), position = model.positions[t];
  const rows = t === 0
    ? [["class token, learned", model.classToken], ["+ position, learned", position]]
    : [["16 pixels, normalised", trace.patches[t - 1]],
       ["times a learned table", trace.embedded[t - 1]],
       ["+ position, learned", position]];
  rows.push(["= the token", trace.tokens[t]]);
  $("strips").replaceChildren();
  for (const [text, values] of rows) {
    const strip = make("div", $("strips"), { className: "strip" });
    make("span", strip, { textContent: text });
    const canvas = make("canvas", strip);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${text}: ${values.length} numbers from `
      + `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`);
    drawStrip(canvas, values, LIMIT);
  }
  const length = v => Math.sqrt(dot(v, v));
  const alike = model.positions.map(p => dot(p, position) / length(p) / length(position));
  drawAlike($("alike"), alike, t);
  const best = alike.map((v, i) => i === t ? -2 : v);
  const text = `How alike the position of ${nameOf(t)} is to the others (cosine; full colour is 1 `
    + `or −1): most to that of ${nameOf(largest(best))}, ${Math.max(...best).toFixed(2)}. `
    + "Nobody told the model that the patches lie in a grid: it has learned these numbers.";
  $("alike-text").textContent = text;
  $("alike").setAttribute("aria-label", text);
}

function showAttention() {
  const t = token(), { layer, head } = shown, rows = sharesOf(layer, head), shares = rows[t];
  for (const { canvas, input, ...view } of maps) {
    const row = sharesOf(view.layer, view.head)[t], best = largest(row);
    drawMap(canvas, row, t);
    input.checked = view.layer === layer && (layer === ALL || view.head === head);
    input.setAttribute("aria-label", `${viewName(view.layer, view.head)}: most to `
      + `${nameOf(best)}, ${percent(row[best])}`);
  }
  drawMatrix($("matrix"), rows, t);
  $("matrix").setAttribute("aria-label", `Shares of ${viewName(layer, head)}, 50 × 50`);
  const best = largest(shares);
  const lines = [`${nameOf(t)} asks; ${viewName(layer, head)}.`,
    layer === ALL
      ? `It is made most of ${nameOf(best)}: ${percent(shares[best])}.`
      : `It looks most at ${best === t ? "itself" : nameOf(best)}: ${percent(shares[best])}, `
        + `${(shares[best] * TOKENS).toFixed(1)} times an equal share of 1/50.`,
    layer === ALL
      ? "Each layer mixes what the one before has mixed. The rollout multiplies the layers' shares, "
        + "half of each token staying what it was."
      : head === DATA.heads ? "The mean of four heads hides that each looks elsewhere."
        : `q · k / √16 = ${trace.layers[layer].scores[head][t][best].toFixed(2)} there; softmax over `
          + "50 such scores gives the share."];
  lines[0] = lines[0][0].toUpperCase() + lines[0].slice(1);
  $("attention-text").replaceChildren(...lines.map(text => make("div", null, { textContent: text })));
}

function showLens() {
  const states = [trace.tokens, ...trace.layers.map(layer => layer.out)];
  const columns = states.map(x => softmax(answer(x, model))), table = $("lens");
  table.replaceChildren();
  const heads = make("tr", table), heat = colour("--heat");
  for (const name of ["", "at first", "layer 1", "layer 2", "layer 3", "layer 4"]) {
    make("th", heads, { textContent: name, scope: "col" });
  }
  CLASSES.forEach((name, i) => {
    const row = make("tr", table);
    make("th", row, { textContent: name, scope: "row" });
    for (const column of columns) {
      make("td", row, { textContent: percent(column[i]) })
        .style.background = `rgba(${heat}, ${0.55 * column[i]})`;
    }
  });
}

function showLogits() {
  const table = $("logits"), most = Math.max(...trace.logits.map(Math.abs));
  table.replaceChildren();
  const heads = make("tr", table);
  for (const name of ["", "", "logit", "probability"]) {
    make("th", heads, { textContent: name, scope: "col" });
  }
  CLASSES.forEach((name, i) => {
    const row = make("tr", table, { className: i === largest(trace.logits) ? "first" : "" });
    make("th", row, { textContent: name, scope: "row" });
    const axis = make("div", make("td", row, { className: "wide" }), { className: "axis" });
    const wide = 50 * Math.abs(trace.logits[i]) / most, below = trace.logits[i] < 0;
    make("i", axis, { className: below ? "below" : "" }).style.cssText =
      `width:${wide}%;left:${below ? 50 - wide : 50}%`;
    make("td", row, { textContent: trace.logits[i].toFixed(2).replace("-", "−") });
    make("td", row, { textContent: percent(trace.probabilities[i]) });
  });
}

function showPicture() {
  const t = token(), drawing = shown.tool !== "look";
  const shares = $("heat").checked && !drawing ? sharesOf(shown.layer, shown.head)[t] : null;
  const focused = document.activeElement === $("picture");
  drawPicture($("picture"), { shares, token: t, brush: drawing && focused ? shown.brush : null });
  $("picture").classList.toggle("brush", drawing);
  $("picture").setAttribute("aria-label", `The picture, ${nameOf(t)} is marked`);
  const share = shares ? 0.9 * shares[0] / Math.max(...shares) : 0;
  $("class-token").style.background = `linear-gradient(${[0, 0].map(() =>
    `rgba(${colour("--heat")}, ${share})`)}), var(--soft)`;
  $("class-token").setAttribute("aria-pressed", t === 0);
  $("where").textContent = shares ? viewName(shown.layer, shown.head) : "";
  for (const [i, button] of [...$("gallery").children].entries()) {
    button.setAttribute("aria-pressed", i === shown.taken);
  }
}

// Everything anew; what depends on the pixels alone only where these have changed.
function show(pixelsChanged = false) {
  if (pixelsChanged) {
    compute();
    tellVerdict();
    showLens();
    showLogits();
  }
  showPicture();
  showPatch();
  showToken();
  showAttention();
}

let waiting = false;  // many moves of a pen between two frames are one change
function change(next, pixelsChanged = false) {
  Object.assign(shown, next);
  change.pixels ||= pixelsChanged;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    show(change.pixels);
    waiting = change.pixels = false;
  });
}
