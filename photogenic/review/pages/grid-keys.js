// The keys of the grid.

import { OTHER } from "./grid-bar.js";

/** `grid()`: the grid, once it is there. */
export function gridKeys(grid) {
  const does = (name, ...rest) => () => grid()?.[name](...rest);
  const arrow = (key, by, shown) => ({ on: [key, `Shift+${key}`], repeats: true, run: (event) => grid()?.move(by(), event), ...shown });
  return [
    { title: "Mark", keys: [
      { on: [" "], does: "Mark or unmark (or click)", run: () => grid()?.toggle() },
      { on: ["p"], does: "Keep", run: () => grid()?.put("keep") },
      { on: ["x"], does: "Drop", run: () => grid()?.put("drop") },
      { on: ["u"], does: "Unsure", run: () => grid()?.put("unsure") },
      { on: ["Digit0"], does: "No mark", run: () => grid()?.put(null) },
      { on: ["Backspace", "Control+z"], does: "Undo a mark, then whole screens", repeats: true, run: does("undo") },
    ] },
    { title: "Move", keys: [
      arrow("ArrowLeft", () => -1, { does: "Frame another picture", print: "← ↑ ↓ →" }),
      arrow("ArrowRight", () => 1, { does: "Choose a range; the next mark is for all of it", print: "Shift ← →" }),
      arrow("ArrowUp", () => -grid().cells.columns, { does: "Mark the range up to there", print: "Shift click" }),
      arrow("ArrowDown", () => grid().cells.columns, { hidden: true }),
      { on: ["e"], does: "Look closely; arrows and marks go on", run: does("openLarge") },
      { on: ["g", "Escape"], does: "Back to the grid", run: does("closeLarge") },
      { on: ["z"], does: "Zoom while looking closely", run: () => grid()?.large.isOpen && grid().large.stage.toggleZoom() },
    ] },
    { title: "Screen", keys: [
      { on: ["Enter"], does: "Submit this screen", run: does("submit") },
      { on: ["m"], does: "Marks are keepers or rejects", run: () => grid()?.setMode(OTHER[grid().mode]) },
      { on: ["-"], does: "Fewer, larger", run: () => grid()?.stepDensity(-1) },
      { on: ["+", "="], does: "More, smaller", run: () => grid()?.stepDensity(1) },
    ] },
  ];
}
