// Light or dark: as the system has it, until the button says otherwise.

import { byId } from "./dom.js";

export function startTheme(onChange) {
  const system = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
  let chosen = null;
  const apply = () => {
    root.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    byId("theme").setAttribute("aria-label", root.dataset.theme === "dark" ? "Use light colours" : "Use dark colours");
  };
  apply();
  const changed = () => {
    apply();
    onChange();
  };
  system.addEventListener("change", changed);
  byId("theme").addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    changed();
  });
}
