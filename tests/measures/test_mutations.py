from __future__ import annotations

import time

import pytest
from damaging import MUTATIONS, mutated_files
from PIL import Image

from photogenic.core.errors import DecodeError
from photogenic.core.records import Sample
from photogenic.curate.scorers import measure_header, measure_pixels
from photogenic.measures.decode import Rgb

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

NUM_FILES = 252  # four of each mutation in each format; benchmarks/mutations.py tries thousands
LONGEST_S = 10.0
SAMPLE = Sample(sample_id="0", source="s", member="0", key="0")


def test_damaged_files_have_values_or_a_reason(photographs: dict[str, Rgb]) -> None:
    small = Image.fromarray(photographs["chelsea"]).resize((90, 60))
    reasons = set()
    for name, data in mutated_files(small, NUM_FILES, seed=3):
        for measure in (measure_header, measure_pixels):
            begun = time.process_time()
            try:
                assert measure(SAMPLE, data, None)
            except DecodeError as error:
                assert error.what, name
                reasons.add(error.what.split(":")[0])
            assert time.process_time() - begun < LONGEST_S, name
    assert {"truncated", "empty file", "no picture format that is read here"} <= reasons
    assert "more than 200 megapixels" in reasons and len(MUTATIONS) == 9
