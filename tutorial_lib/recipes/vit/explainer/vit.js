// The Vision Transformer, from pixels to logits, in plain JavaScript.
//
// Dosovitskiy et al., An Image is Worth 16x16 Words (arXiv 2010.11929). A vector is an array of
// numbers, a table an array of vectors. A token is a vector of 64 numbers; there are 50 of them,
// the class token and one for each of 7 x 7 patches. `forward` keeps every step, for the page.

// A linear map, the same for every token: y = W x + b.
function linear(tokens, { weight, bias }) {
  return tokens.map(x => weight.map((row, i) => dot(row, x) + bias[i]));
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const transpose = table => table[0].map((_, j) => table.map(row => row[j]));
const add = (a, b) => a.map((x, i) => x + b[i]);
const addAll = (tokens, others) => tokens.map((x, i) => add(x, others[i]));

// Every token gets mean 0 and variance 1, then learned scales and shifts.
function layerNorm(tokens, { weight, bias }, eps) {
  return tokens.map(x => {
    const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    return x.map((v, i) => (v - mean) / Math.sqrt(variance + eps) * weight[i] + bias[i]);
  });
}

function softmax(scores) {
  const most = Math.max(...scores);  // subtracted, or exp of a large score would overflow
  const powers = scores.map(s => Math.exp(s - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map(p => p / sum);
}

// GELU, the bend between the two maps of a feed-forward network: x times the share of a normal
// distribution that lies below x.
const gelu = x => x * (1 + erf(x / Math.SQRT2)) / 2;

function erf(x) {  // a series whose terms all have the sign of x, so nothing cancels
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

// 28 x 28 pixels in 7 x 7 patches of 4 x 4, row by row; in a patch too, pixels go row by row.
function cut(pixels, { side, patch, grid }) {
  const patches = [];
  for (let p = 0; p < grid * grid; p++) {
    const top = Math.floor(p / grid) * patch, left = p % grid * patch, values = [];
    for (let i = 0; i < patch * patch; i++) {
      values.push(pixels[(top + Math.floor(i / patch)) * side + left + i % patch]);
    }
    patches.push(values);
  }
  return patches;
}

// Multi-head attention: every head works on its own 16 of the 64 features.
// What a token hears is the mean of all values, weighted by softmax(q . k / sqrt(16)).
function attention(tokens, weights, heads) {
  const q = linear(tokens, weights.to_q), k = linear(tokens, weights.to_k);
  const v = linear(tokens, weights.to_v), size = q[0].length / heads;
  const scores = [], shares = [], heard = tokens.map(() => []);
  for (let h = 0; h < heads; h++) {
    const part = x => x.slice(h * size, (h + 1) * size);
    const qs = q.map(part), ks = k.map(part), vs = v.map(part);
    scores.push(qs.map(a => ks.map(b => dot(a, b) / Math.sqrt(size))));
    shares.push(scores[h].map(softmax));
    const columns = transpose(vs);
    shares[h].forEach((share, i) => heard[i].push(...columns.map(values => dot(share, values))));
  }
  return { scores, shares, out: linear(heard, weights.to_out) };
}

// Attention, then a feed-forward network; each adds to what is there (the residual).
function encoderLayer(tokens, weights, { heads, eps }) {
  const looked = attention(layerNorm(tokens, weights.norm1, eps), weights, heads);
  const x = addAll(tokens, looked.out);
  const wide = linear(layerNorm(x, weights.norm2, eps), weights.up);
  const out = addAll(x, linear(wide.map(token => token.map(gelu)), weights.down));
  return { scores: looked.scores, shares: looked.shares, out };
}

// The answer reads the class token alone.
function answer(tokens, model) {
  const [first] = layerNorm(tokens.slice(0, 1), model.norm, model.settings.eps);
  return linear([first], model.head)[0];
}

function forward(model, pixels) {
  const { mean, std } = model.settings;
  const patches = cut(pixels.map(v => (v - mean) / std), model.settings);  // 49 x 16
  const embedded = linear(patches, model.embed);                           // 49 x 64
  const tokens = addAll([model.classToken, ...embedded], model.positions); // 50 x 64
  const layers = [];
  let x = tokens;
  for (const weights of model.layers) {
    layers.push(encoderLayer(x, weights, model.settings));
    x = layers.at(-1).out;                                                 // 50 x 64
  }
  return { patches, embedded, tokens, layers, logits: answer(x, model) };  // 10 logits
}

// Attention rollout (Abnar and Zuidema, arXiv 2005.00928): of which input tokens is each output
// token made? The heads' mean, plus the residual that carries every token past the attention,
// through all layers.
function rollout(layers) {
  const n = layers[0].out.length, one = i => Array.from({ length: n }, (_, j) => Number(i === j));
  let made = layers[0].out.map((_, i) => one(i));
  for (const { shares } of layers) {
    const columns = transpose(made);
    made = made.map((_, i) => {
      const mixed = one(i).map((x, j) => (x + mean(shares.map(head => head[i][j]))) / 2);
      return columns.map(column => dot(mixed, column));
    });
  }
  return made;
}

const mean = values => values.reduce((a, b) => a + b, 0) / values.length;

// The model from its file: a table is stored in 8 bits, w = scale of its row x whole number.
function unpack(data) {
  const raw = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
  const floats = new Float32Array(raw(data.weights.floats));
  const steps = new Int8Array(raw(data.weights.bytes));
  const named = {};
  let f = 0, s = 0;
  for (const [name, [rows, columns]] of Object.entries(data.weights.tables)) {
    named[name] = Array.from({ length: rows }, () => {
      const scale = floats[f++];
      return Array.from(steps.subarray(s, s += columns), step => Math.fround(step * scale));
    });
  }
  for (const [name, length] of Object.entries(data.weights.vectors)) {
    named[name] = Array.from(floats.subarray(f, f += length));
  }
  const of = name => ({ weight: named[name + ".weight"], bias: named[name + ".bias"] });
  const layer = i => ({
    norm1: of(`encoder.${i}.around_attention.norm`),
    to_q: of(`encoder.${i}.attention.to_q`), to_k: of(`encoder.${i}.attention.to_k`),
    to_v: of(`encoder.${i}.attention.to_v`), to_out: of(`encoder.${i}.attention.to_out`),
    norm2: of(`encoder.${i}.around_feed_forward.norm`),
    up: of(`encoder.${i}.feed_forward.up`), down: of(`encoder.${i}.feed_forward.down`),
  });
  return {
    settings: data, embed: of("embed.project"), classToken: named["class_token"][0],
    positions: named["positions.table"], norm: of("norm"), head: of("head"),
    layers: Array.from({ length: data.depth }, (_, i) => layer(i)),
  };
}
