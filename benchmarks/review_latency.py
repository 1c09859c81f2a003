"""How long from a key to the next picture on the screen, with a long queue: loupe and grid, in Chromium.

    python benchmarks/review_latency.py                                           # small: minutes
    python benchmarks/review_latency.py --photographs 2000 --ids 200000 --pictures 1000

Prints, for each screen: key to painted (median, 95th percentile, slowest), the first screen, the memory of
the page (JavaScript heap after a collection, resident memory of its process) along the way. The server, the
pictures, the database and the browser are the real ones and share this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from PIL import Image

from photogenic.core.manifest import POOL_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table

WIDTH, HEIGHT = 1800, 1200
COMMAND = "import sys; from photogenic.cli import main; sys.argv[0] = 'photogenic'; main()"

# Painted: a task queued from the frame in which the picture was drawn runs once that frame is handed over.
WATCH = """
(() => {
  const seen = { waits: [], first: null, key: null, shown: 0 };
  window.latency = seen;
  const pressed = (event) => { if (/^[px]$|^Enter$/.test(event.key)) seen.key = event.timeStamp; };
  addEventListener("keydown", pressed, { capture: true });
  addEventListener("shown", () => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const now = performance.now();
      seen.first ??= now;
      seen.shown += 1;
      if (seen.key !== null) seen.waits.push(now - seen.key);
      seen.key = null;
    };
    channel.port2.postMessage(null);
  }), { capture: true });
})();
"""


@dataclass
class Trial:
    """What one screen showed."""

    waits_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    memory: list[tuple[int, float, float]] = field(default_factory=list)  # pictures, heap MiB, resident MiB

    def tell(self, title: str) -> None:
        median, tail, worst = np.percentile(self.waits_ms, [50, 95, 100])
        print(
            f"{title}: key to painted, {len(self.waits_ms)} keys:"
            f" median {median:.0f} ms, p95 {tail:.0f} ms, slowest {worst:.0f} ms"
        )
        print(f"{title}: first screen, each load: {', '.join(f'{one:.0f}' for one in self.first_ms)} ms")
        for pictures, heap, resident in self.memory:
            print(
                f"{title}: after {pictures:5d} pictures:"
                f" heap {heap:.1f} MiB, page's process {resident:.0f} MiB"
            )


def draw(folder: Path, num: int) -> list[dict[str, Any]]:
    """`num` different photograph-like pictures: soft colours in fine grain."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for number in range(num):
        rng = np.random.default_rng(number)
        soft = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize(
            (WIDTH, HEIGHT), Image.Resampling.BICUBIC
        )
        grain = np.tile(rng.normal(0, 5, (HEIGHT // 4, WIDTH // 4, 1)).astype(np.int16), (4, 4, 1))
        path = folder / f"{number:05d}.jpg"
        Image.fromarray(np.clip(np.asarray(soft, np.int16) + grain, 0, 255).astype(np.uint8)).save(
            path, quality=85
        )
        data = path.read_bytes()
        drawn.append({"member": path.name, "uid": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)})
    return drawn


def write_run(folder: Path, num_photographs: int, num_ids: int) -> Path:
    """A run of `num_ids` candidates over `num_photographs` files, and its recipe."""
    run = Run(folder / "run")
    drawn = draw(folder / "photographs", num_photographs)
    rows = []
    for number in range(num_ids):
        picture, key = drawn[number % len(drawn)], f"id-{number}"
        rows.append(
            {
                **picture,
                "sample_id": sample_id_for("photographs", picture["member"], key),
                "source": "photographs",
                "key": key,
                "offset": 0,
                "alt_text": f"Photograph {number}",
                "fields": "{}",
                "width_px": WIDTH,
                "height_px": HEIGHT,
            }
        )
    write_json(run.stage("pool") / "sources.json", {"photographs": str(folder / "photographs")})
    schema = pa.schema([*POOL_SCHEMA, ("width_px", pa.int32()), ("height_px", pa.int32())])
    write_table(run.stage("curate") / "candidates.parquet", pa.Table.from_pylist(rows, schema))
    return folder / "run"


def serve(folder: Path, screen: str) -> tuple[subprocess.Popen[str], str, str]:
    """The server of a round with this screen, its address and the lead's link."""
    recipe = folder / f"{screen}.yaml"
    review = {
        "decisions": "people",
        "rounds": [{"name": screen, "screen": screen, "gold_ratio": 0.0, "relook_ratio": 0.0}],
        "database": f"sqlite:///{folder / screen}.db",
    }
    recipe.write_text(
        yaml.safe_dump(
            {
                "name": screen,
                "pool": {"sources": {"photographs": str(folder / "photographs")}},
                "review": review,
            }
        )
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    arguments = ["review", str(recipe), "--run", str(folder / "run"), "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{port}", process.stdout.readline().strip()


def measure(browser: Any, url: str, link: str, screen: str, num_pictures: int, pace_s: float) -> Trial:
    """Work through `num_pictures` at an even pace."""
    trial = Trial()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(link)
    page.get_by_role("heading", name="Hello").wait_for()
    page.add_init_script(WATCH)
    page.add_init_script("localStorage.setItem('photogenic.density', '30')")
    queue = context.request.get(f"{url}/api/queues").json()["queues"][0]["id"]
    session = context.new_cdp_session(page)
    for _ in range(3):
        page.goto(f"{url}/review/{screen}?queue={queue}")
        _until(page, "window.latency.shown > 0")
        trial.first_ms.append(page.evaluate("window.latency.first"))
    time.sleep(2)
    key, step = ("p", 1) if screen == "loupe" else ("Enter", 30)
    marks = {round(num_pictures * share / step) for share in (0.1, 0.25, 0.5, 0.75, 1)}
    for number in range(1, num_pictures // step + 1):
        before = page.evaluate("window.latency.shown")
        page.keyboard.press(key)
        _until(page, f"window.latency.shown > {before}")
        time.sleep(pace_s * (1 if step == 1 else 4))
        if number in marks:
            trial.memory.append((number * step, *memory(browser, session)))
    trial.waits_ms = page.evaluate("window.latency.waits")
    context.close()
    return trial


def _until(page: Any, script: str) -> None:
    end = time.monotonic() + 60
    while not page.evaluate(f"() => {script}"):
        if time.monotonic() > end:
            raise TimeoutError(script)
        page.wait_for_timeout(20)


def memory(browser: Any, session: Any) -> tuple[float, float]:
    """(JavaScript heap after a collection, resident memory of the largest page process), MiB."""
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    whole = browser.new_browser_cdp_session()
    processes = whole.send("SystemInfo.getProcessInfo")["processInfo"]
    whole.detach()
    resident = [_resident_bytes(one["id"]) for one in processes if one["type"] == "renderer"]
    return metrics["JSHeapUsedSize"] / 2**20, max(resident, default=0) / 2**20


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


def develop(folder: Path, sizes: tuple[str, ...]) -> None:
    """Make the derivatives before the work, as the server does for what is claimed while people look."""
    from photogenic.review.config import ReviewConfig, RoundConfig
    from photogenic.review.desk import Review

    config = ReviewConfig(
        decisions="people",
        rounds=(RoundConfig(name="loupe", screen="loupe"),),
        database=f"sqlite:///{folder / 'loupe'}.db",
    )
    room = Review(config, Run(folder / "run"), 0).open_room()
    for picture in sorted((folder / "photographs").iterdir()):
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()[:32]
        for size in sizes:
            room.darkroom.picture(digest, size)
    room.database.close()


def main() -> None:
    """Measure both screens."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=120, help="different pictures")
    parser.add_argument("--ids", type=int, default=5_000, help="items of the queue")
    parser.add_argument("--pictures", type=int, default=90, help="pictures to work through on each screen")
    parser.add_argument("--pace", type=float, default=0.4, help="seconds that a person looks at a picture")
    parser.add_argument("--screens", nargs="+", default=["loupe", "grid"])
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write_run(folder, options.photographs, options.ids)
        for screen in options.screens:
            process, url, link = serve(folder, screen)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            try:
                if screen == "loupe":
                    develop(folder, ("screen", "thumb"))
                measure(browser, url, link, screen, options.pictures, options.pace).tell(screen)
            finally:
                browser.close()
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
