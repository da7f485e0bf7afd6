// Filters and search over the transcripts; the page says all without it, and nothing is fetched.
// The tables of a large exam wait in noscript, as text, until somebody wants to see them.
"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const [search, outcome, role] = ["search", "outcome", "role"].map((id) => document.getElementById(id));
  const found = document.getElementById("found");
  const leaves = [...document.querySelectorAll("details.leaf")].map((element) => ({
    element,
    name: element.firstElementChild.textContent.toLowerCase(),
    count: Number(element.dataset.rows),
    rows: null,
    texts: null,
    sifted: false,
  }));
  const fill = (leaf) => {
    const waiting = leaf.element.querySelector("noscript");
    if (waiting) waiting.outerHTML = waiting.textContent;
    leaf.rows ??= [...leaf.element.querySelectorAll("tbody tr")];
  };
  const sift = (leaf, words) => {
    fill(leaf);
    if (words) leaf.texts ??= leaf.rows.map((row) => row.textContent.toLowerCase());
    leaf.sifted = Boolean(words || outcome.value);
    let here = 0;
    leaf.rows.forEach((row, at) => {
      const shown = (!outcome.value || (row.className || "same") === outcome.value) &&
        (!words || leaf.name.includes(words) || leaf.texts[at].includes(words));
      row.hidden = !shown;
      here += shown;
    });
    return here;
  };
  const apply = () => {
    const words = search.value.toLowerCase().trim();
    let count = 0;
    for (const leaf of leaves) {
      const wanted = !role.value || leaf.element.classList.contains(role.value);
      const all = !words && !outcome.value && !leaf.sifted;
      const here = !wanted ? 0 : all ? leaf.count : sift(leaf, words);
      leaf.element.hidden = here === 0;
      count += here;
    }
    found.textContent = `${count} shown`;
  };
  let waiting = 0;
  const later = () => { clearTimeout(waiting); waiting = setTimeout(apply, 150); };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", later);
  outcome.addEventListener("change", apply);
  role.addEventListener("change", apply);
  for (const leaf of leaves) leaf.element.addEventListener("toggle", () => fill(leaf));
  addEventListener("beforeprint", () => leaves.forEach(fill));
  apply();
})();
