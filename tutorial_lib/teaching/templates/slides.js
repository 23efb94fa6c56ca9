"use strict";
const slides = [...document.querySelectorAll(".slide")];
let now = 0;

// A slide that is larger than the window gets smaller letters, down to a half.
function fit(slide) {
  const inner = slide.querySelector(".fit");
  for (let size = 1; size > 0.5; size -= 0.05) {
    inner.style.setProperty("--size", size.toFixed(2));
    const lines = innerWidth > 700 ? inner.querySelectorAll("pre") : [];  // a phone scrolls them
    const wide = [inner, ...lines].some(box => box.scrollWidth > box.clientWidth + 1);
    if (inner.scrollHeight <= slide.clientHeight * 0.9 && !wide) return;
  }
  inner.style.maxHeight = "90vh";
  inner.style.overflow = "auto";
}

function show(number) {
  now = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, i) => slide.classList.toggle("now", i === now));
  document.body.classList.toggle("first", now === 0);
  document.getElementById("bar").style.width = `${100 * (now + 1) / slides.length}%`;
  document.getElementById("number").textContent = `${now + 1} / ${slides.length}`;
  history.replaceState(null, "", `#${now + 1}`);
  fit(slides[now]);
}

const keys = {
  ArrowRight: () => show(now + 1), ArrowDown: () => show(now + 1), PageDown: () => show(now + 1),
  " ": () => show(now + 1), ArrowLeft: () => show(now - 1), ArrowUp: () => show(now - 1),
  PageUp: () => show(now - 1), Home: () => show(0), End: () => show(slides.length - 1),
  n: () => document.body.classList.toggle("with-notes"),
  f: () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("summary") && [" ", "Enter"].includes(event.key)) return;  // opens it
  const action = keys[event.key] || keys[event.key.toLowerCase()];
  if (action) { event.preventDefault(); action(); }
});

let from = null;
document.addEventListener("touchstart", event => { from = event.changedTouches[0]; }, { passive: true });
document.addEventListener("touchend", event => {
  const to = event.changedTouches[0], far = to.clientX - from.clientX;
  if (Math.abs(far) > 50 && Math.abs(far) > 2 * Math.abs(to.clientY - from.clientY)) show(now + (far < 0 ? 1 : -1));
});
window.addEventListener("resize", () => fit(slides[now]));
window.addEventListener("hashchange", () => show((parseInt(location.hash.slice(1)) || 1) - 1));
document.addEventListener("toggle", () => fit(slides[now]), true);
show((parseInt(location.hash.slice(1)) || 1) - 1);
if (window.MathJax) {
  const ready = () => MathJax.startup && MathJax.startup.promise
    ? MathJax.startup.promise.then(() => fit(slides[now])) : setTimeout(ready, 50);
  ready();
}
