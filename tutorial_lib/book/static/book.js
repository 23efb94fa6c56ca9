// Opened as a file, a page may not read others: the search then shows titles alone.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A page in one file begins where the link to it says: quiz.html?vit shows extra/quiz.html#vit.
document.addEventListener("DOMContentLoaded", () => {
  const inset = document.querySelector("iframe.inset");
  if (inset && location.search) inset.src += "#" + location.search.slice(1);
});
