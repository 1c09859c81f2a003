"""How long the groups of near-duplicates take, and how much memory, beside what `photogenic plan` expects.

    python benchmarks/duplicates.py [--num 1000000] [--max-distance 6] [--kinds random clusters]

Hashes are made up: at random; in clusters of ten, up to four bits from their centre; in crowds of a thousand,
up to six; and of 40 random bits, the others equal, as those of grey pictures. Processor time, one core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time

import numpy as np

from photogenic.measures.duplicates import HASH_BITS, Hashes, expected_seconds, near_duplicate_groups

KINDS = ("random", "clusters", "crowds", "grey")


def made_up(kind: str, num: int) -> Hashes:
    """[num] hashes of the kind, in any order."""
    generator = np.random.default_rng(0)
    if kind == "random":
        return generator.integers(0, 2**64, num, np.uint64)
    if kind == "grey":
        return generator.integers(0, 2**40, num, np.uint64)
    size, flips, chance = {"clusters": (10, 4, 0.6), "crowds": (1000, 6, 0.8)}[kind]
    hashes = generator.integers(0, 2**64, num // size, np.uint64).repeat(size)
    for _ in range(flips):
        bits = np.uint64(1) << generator.integers(0, HASH_BITS, hashes.size, np.uint64)
        hashes ^= np.where(generator.random(hashes.size) < chance, bits, np.uint64(0))
    return generator.permutation(hashes)


def measure(kind: str, num: int, max_distance: int) -> str:
    """One line: seconds, memory and groups."""
    hashes = made_up(kind, num)
    near_duplicate_groups(hashes[:1000], max_distance)  # imports are no hash's time
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    labels = near_duplicate_groups(hashes, max_distance)
    seconds = time.process_time() - begun
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) * 1024 / num
    return f"{kind:9} {seconds:8.1f} s {memory:6.0f} bytes a hash {np.unique(labels).size:12,} groups"


def main() -> None:
    """Each kind in a process of its own, so that memory is its own too."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--num", type=int, default=1_000_000)
    parser.add_argument("--max-distance", type=int, default=6)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    print(f"expected of random hashes: {expected_seconds(given.num, given.max_distance):.1f} s")
    context = multiprocessing.get_context("spawn")
    for kind in given.kinds:
        with context.Pool(1) as pool:
            print(pool.apply(measure, (kind, given.num, given.max_distance)), flush=True)


if __name__ == "__main__":
    main()
