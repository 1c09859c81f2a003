// Loaded before the form is there, so that nobody is faster: what is pressed before studio.js is there to hear it would
// else go to the browser, which would load the page anew with an empty form. Not a module for that reason.
window.early = { asked: false };
(() => {
  const early = new AbortController();
  const ask = (event) => {
    event.preventDefault();
    window.early.asked = true;
  };
  const { signal } = early;
  document.addEventListener("submit", ask, { signal });
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "prompt" && event.key === "Enter" && !event.shiftKey && !event.isComposing) ask(event);
  }, { signal });
  window.early.over = () => early.abort();
})();
