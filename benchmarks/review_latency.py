"""How long from a key to the next picture on the screen, with a long queue: loupe and grid, in Chromium.

    python benchmarks/review_latency.py                                           # about a minute
    python benchmarks/review_latency.py --photographs 2000 --ids 200000 --loupe 1000 --grid 34

Prints, for each screen: key to painted (median, 95th percentile, slowest) and its share of what is allowed,
the first screen, the memory of the page (JavaScript heap after a collection, resident memory of its process)
along the way; then a verdict, and how calm the machine was. The server, the pictures, the database and the
browser are the real ones and share this machine.
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
from calm import calmness, pin_server, verdict
from PIL import Image, ImageChops

from photogenic.core.manifest import POOL_SCHEMA, sample_id_for
from photogenic.core.run import Run
from photogenic.core.shards import write_json, write_table

WIDTH, HEIGHT = 1800, 1200
MEDIAN_MS, TAIL_MS, FIRST_MS = 50, 100, 1000
GROWTH = 1.2  # of the page's memory from a quarter of the way to its end, over a thousand pictures
JUDGED_PICTURES = 1000  # fewer say nothing of memory
COMMAND = "import sys; from photogenic.cli import main; sys.argv[0] = 'photogenic'; main()"

KEYS = {"loupe": ("p", 1), "grid": ("Enter", 30)}  # what shows the next, and how many pictures it shows

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

    screen: str
    waits_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    memory: list[tuple[int, float, float]] = field(default_factory=list)  # pictures, heap MiB, resident MiB

    def tell(self) -> list[str]:
        """Print it; which goals were missed."""
        median, tail, worst = np.percentile(self.waits_ms, [50, 95, 100])
        print(
            f"{self.screen}: key to painted, {len(self.waits_ms)} keys:"
            f" median {median:.0f} ms ({median / MEDIAN_MS:.2f} of {MEDIAN_MS}),"
            f" p95 {tail:.0f} ms ({tail / TAIL_MS:.2f} of {TAIL_MS}), slowest {worst:.0f} ms"
        )
        first = max(self.first_ms)
        loads = ", ".join(f"{one:.0f}" for one in self.first_ms)
        print(f"{self.screen}: first screen, each load: {loads} ms ({first / FIRST_MS:.2f} of {FIRST_MS})")
        for pictures, heap, resident in self.memory:
            print(
                f"{self.screen}: {pictures} pictures: heap {heap:.1f} MiB, page's process {resident:.0f} MiB"
            )
        missed = {
            "median": median > MEDIAN_MS,
            "95th percentile": tail > TAIL_MS,
            "first screen": first > FIRST_MS,
            "memory": self.pictures >= JUDGED_PICTURES and max(self.growth()) > GROWTH,
        }
        return [f"{self.screen}'s {name}" for name, is_missed in missed.items() if is_missed]

    @property
    def pictures(self) -> int:
        return self.memory[-1][0]

    def growth(self) -> tuple[float, float]:
        """Heap and resident memory at the end, over those a quarter of the way in."""
        early = next(one for one in self.memory if one[0] >= self.pictures / 4)
        return self.memory[-1][1] / early[1], self.memory[-1][2] / early[2]


def draw(folder: Path, num: int) -> list[dict[str, Any]]:
    """`num` different photograph-like pictures: soft colours in fine grain."""
    folder.mkdir(parents=True, exist_ok=True)
    grain = Image.fromarray(np.random.default_rng(0).normal(128, 5, (HEIGHT, WIDTH)).astype(np.uint8))
    grain = Image.merge("RGB", (grain,) * 3)
    drawn = []
    for number in range(num):
        rng = np.random.default_rng(number)
        soft = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
        soft = soft.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        path = folder / f"{number:05d}.jpg"
        ImageChops.add(soft, grain, offset=-128).save(path, quality=85)
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
        "rounds": [
            {"name": screen, "screen": screen, "gold_ratio": 0.0, "relook_ratio": 0.0, "order": "manifest"}
        ],
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
    print(pin_server(process.pid))
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{port}", process.stdout.readline().strip()


def measure(browser: Any, url: str, link: str, screen: str, num_keys: int, pace_s: float) -> Trial:
    """Press the key that shows the next `num_keys` times, at an even pace."""
    trial = Trial(screen)
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
    time.sleep(1)
    key, step = KEYS[screen]
    marks = {round(num_keys * share) for share in (0.25, 0.5, 0.75, 1)}
    for number in range(1, num_keys + 1):
        before = page.evaluate("window.latency.shown")
        page.keyboard.press(key)
        _until(page, f"window.latency.shown > {before}")
        time.sleep(pace_s)
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


def develop(folder: Path, screen: str, num: int) -> None:
    """Make the pictures of the first items before the work, as the server does while people look."""
    from photogenic.review.config import ReviewConfig, RoundConfig
    from photogenic.review.desk import Review

    config = ReviewConfig(
        decisions="people",
        rounds=(RoundConfig(name=screen, screen=screen),),
        database=f"sqlite:///{folder / screen}.db",
    )
    room = Review(config, Run(folder / "run"), 0).open_room()
    for picture in sorted((folder / "photographs").iterdir())[:num]:
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()[:32]
        room.darkroom.picture(digest, "screen" if screen == "loupe" else "thumb")
    room.database.close()


def main() -> int:
    """Measure both screens."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=240, help="different pictures")
    parser.add_argument("--ids", type=int, default=2_000, help="items of the queue")
    parser.add_argument("--loupe", type=int, default=50, help="pictures to judge in the loupe")
    parser.add_argument("--grid", type=int, default=14, help="screens of 30 to submit in the grid")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds that a person looks at a picture")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    before, missed = calmness(), list[str]()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write_run(folder, options.photographs, options.ids)
        for screen, num_keys, pace_s in (
            ("loupe", options.loupe, options.pace),
            ("grid", options.grid, 3 * options.pace),
        ):
            process, url, link = serve(folder, screen)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            try:
                develop(folder, screen, (num_keys + 2) * KEYS[screen][1])
                missed += measure(browser, url, link, screen, num_keys, pace_s).tell()
            finally:
                browser.close()
                process.terminate()
                process.wait()
    return verdict(missed, before, calmness())


if __name__ == "__main__":
    sys.exit(main())
