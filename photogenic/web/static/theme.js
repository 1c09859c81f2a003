// Loaded before the first paint, so that a chosen theme does not flash; not a module for that reason.
(() => {
  const root = document.documentElement;
  for (const name of ["theme", "surround"]) {
    const chosen = localStorage.getItem(`photogenic.${name}`);
    if (chosen) root.dataset[name] = chosen;
  }
})();
