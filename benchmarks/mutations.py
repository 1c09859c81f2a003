"""Thousands of damaged picture files through the scorers: each has values or a reason, in bounded memory.

    python benchmarks/mutations.py --num-files 5000

Ends with status 1 when anything but a DecodeError escapes, a file takes longer than a minute or memory goes
beyond 2 GB.
"""

from __future__ import annotations

import argparse
import collections
import resource
import sys
import time
from pathlib import Path

import skimage.data
from PIL import Image

from photogenic.core.errors import DecodeError
from photogenic.core.records import Sample
from photogenic.curate.scorers import measure_header, measure_pixels

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "measures"))
from damaging import mutated_files

LONGEST_S, MAX_BYTES = 60.0, 2 << 30
SAMPLE = Sample(sample_id="0", source="s", member="0", key="0")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num-files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    picture = Image.fromarray(skimage.data.chelsea()).resize((180, 120))
    outcomes, slowest = collections.Counter[str](), (0.0, "")
    for name, data in mutated_files(picture, options.num_files, options.seed):
        begun = time.process_time()
        try:
            measure_header(SAMPLE, data, None)
            measure_pixels(SAMPLE, data, None)
            outcomes["measured"] += 1
        except DecodeError as error:
            outcomes[error.what.split(":")[0]] += 1
        slowest = max(slowest, (time.process_time() - begun, name))
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for outcome, num in outcomes.most_common():
        print(f"{num:6} {outcome}")
    print(f"slowest {slowest[0]:.1f} s ({slowest[1]}), peak memory {peak / 2**20:.0f} MB")
    return int(slowest[0] > LONGEST_S or peak > MAX_BYTES or outcomes.total() != options.num_files)


if __name__ == "__main__":
    sys.exit(main())
