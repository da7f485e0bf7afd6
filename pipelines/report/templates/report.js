// Filters and search over the transcripts; the page says all without it, and nothing is fetched.
"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const [search, outcome, role] = ["search", "outcome", "role"].map((id) => document.getElementById(id));
  const found = document.getElementById("found");
  const leaves = [...document.querySelectorAll("details.leaf")].map((element) => ({
    element,
    name: element.firstElementChild.textContent.toLowerCase(),
    rows: [...element.querySelectorAll("tbody tr")],
    texts: null,
  }));
  const apply = () => {
    const words = search.value.toLowerCase().trim();
    let count = 0;
    for (const leaf of leaves) {
      let here = 0;
      const wanted = !role.value || leaf.element.classList.contains(role.value);
      if (words && !leaf.texts) leaf.texts = leaf.rows.map((row) => row.textContent.toLowerCase());
      leaf.rows.forEach((row, at) => {
        const shown = wanted && (!outcome.value || (row.className || "same") === outcome.value) &&
          (!words || leaf.name.includes(words) || leaf.texts[at].includes(words));
        row.hidden = !shown;
        here += shown;
      });
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
  apply();
})();
