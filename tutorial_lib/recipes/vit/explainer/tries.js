// Experiments: what is done to the picture, and what to see. The shares are of the first 500 test
// pictures, of which the model tells 89 % right as they are.

const PATCHES = GRID * GRID;
const EFFECTS = {
  shuffle: pixels => pixels.map((_, i) => {  // patch p shows what patch 10 p + 3 has shown
    const row = Math.floor(i / SIDE), column = i % SIDE;
    const p = Math.floor(row / PATCH) * GRID + Math.floor(column / PATCH), from = (10 * p + 3) % PATCHES;
    return pixels[(rowOf(from) * PATCH + row % PATCH) * SIDE + columnOf(from) * PATCH + column % PATCH];
  }),
  shift: pixels => pixels.map((_, i) => i % SIDE < PATCH ? 0 : pixels[i - PATCH]),
  invert: pixels => pixels.map(v => 1 - v),
  even: pixels => pixels.map(() => 0.5),
};
const TRIES = [
  ["Shuffle its patches. Every pixel is still there, and each token still looks at all others, but "
    + "the positions no longer fit: 32 % are told right.", "shuffle"],
  ["Move it by one patch. To you it is the same thing; to the model all patches have other "
    + "positions, and nothing has told it that a moved thing stays what it is: 38 %. A convolution "
    + "has that built in.", "shift"],
  ["Exchange black and white. It has seen clothes on black only: 9 %, less than by guessing.",
    "invert"],
  ["An even grey. It is sure even of what is nothing, for it must choose one of ten.", "even"],
  ["Choose Erase and take the sleeves off a pullover, or draw a handle onto a T-shirt. How little is "
    + "needed to change its mind?"],
  ["Choose the class token, and compare what it looks at in layer 1 and in layer 4. Only what it "
    + "hears there can reach the answer."],
];
for (const [text, effect] of TRIES) {
  const item = make("li", $("tries"), { textContent: text });
  if (!effect) continue;
  const button = make("button", item, { type: "button", textContent: "Do it", onclick: () => {
    if (shown.taken === null) shown.taken = 0;
    change({ pixels: EFFECTS[effect](gallery.pictures[shown.taken]) }, true);
  } });
  button.setAttribute("aria-label", `Do it: ${text.split(".")[0]}`);
}
take(6);
