"""Near-duplicates among perceptual hashes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

NUM_BANDS = 4
BAND_BITS = 64 // NUM_BANDS
MAX_DISTANCE = 15  # beyond a quarter of the bits, agreement is chance
CHUNK_PAIRS = 4_000_000  # compared at a time: about 150 MB


def hamming(a: Hashes | int, b: Hashes | int) -> NDArray[np.uint8]:
    """The number of differing bits of 64-bit hashes, element by element with broadcasting."""
    return np.asarray(np.bitwise_count(np.bitwise_xor(np.uint64(a), np.uint64(b))), np.uint8)


def near_duplicate_groups(hashes: Hashes, max_distance: int = 6) -> Indices:
    """Groups of hashes connected by steps of at most `max_distance` bits: [N] uint64 -> [N] int64.

    A group's label is the index of its first member; a hash without neighbours is its own group. Groups are
    connected components, so the ends of a chain may lie further apart than `max_distance`.

    Multi-index hashing (M. Norouzi, A. Punjani & D. Fleet, Fast search in Hamming space, 2012): of four bands
    of 16 bits, two hashes at distance <= r agree in at least one but for r // 4 bits, so only those
    in neighbouring buckets are compared. Equal hashes are folded first: a hundred thousand blank pictures
    cost no more than one. Memory is bounded whatever the buckets' sizes.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance must be 0 to {MAX_DISTANCE}, not {max_distance}")
    if hashes.size == 0:
        return np.empty(0, np.int64)
    unique, first, inverse = np.unique(
        np.ascontiguousarray(hashes, np.uint64), return_index=True, return_inverse=True
    )
    root = np.arange(unique.size)
    if max_distance > 0:
        for band in _bands(unique):
            for left, right in _neighbours(band, max_distance // NUM_BANDS):
                near = hamming(unique[left], unique[right]) <= max_distance
                root = joined(root, left[near], right[near])
    earliest = np.full(unique.size, hashes.size, np.int64)
    np.minimum.at(earliest, root, first)
    return earliest[root][inverse]


def _bands(unique: Hashes) -> Iterator[NDArray[np.uint16]]:
    """[N] uint16 keys, four times: the bits dealt out so that each band gets its share of those that vary.

    In a pool of grey pictures all bits of chroma are equal; a band of nothing else would be one giant bucket.
    """
    shares = np.array([np.mean(unique >> np.uint64(bit) & np.uint64(1)) for bit in range(64)])
    liveliest_first = np.argsort(-shares * (1 - shares), kind="stable")
    for number in range(NUM_BANDS):
        key = np.zeros(unique.size, np.uint16)
        for position, bit in enumerate(liveliest_first[number::NUM_BANDS]):
            value = (unique >> np.uint64(bit) & np.uint64(1)).astype(np.uint16)
            key |= value << np.uint16(position)
        yield key


def _neighbours(band: NDArray[np.uint16], radius: int) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of indices whose keys differ in at most `radius` bits, each pair once, in bounded chunks."""
    order = np.argsort(band, kind="stable")
    keys = band[order].astype(np.int64)
    bounds = np.searchsorted(keys, np.arange(2**BAND_BITS + 1))
    for num_flips in range(radius + 1):
        for flips in combinations(range(BAND_BITS), num_flips):
            partner = keys ^ sum(1 << flip for flip in flips)
            if num_flips == 0:  # within a bucket: each with those after it
                starts, ends = np.arange(1, keys.size + 1), bounds[keys + 1]
            else:  # between two buckets: from the one of the smaller key
                starts, ends = bounds[partner], np.where(keys < partner, bounds[partner + 1], bounds[partner])
            for left, right in _expanded(starts, ends):
                yield order[left], order[right]


def _expanded(starts: Indices, ends: Indices) -> Iterator[tuple[Indices, Indices]]:
    """All (i, j) with starts[i] <= j < ends[i], in chunks of about CHUNK_PAIRS."""
    counts = ends - starts
    totals = np.cumsum(counts)
    begin = 0
    while begin < counts.size:
        done = totals[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, done + CHUNK_PAIRS, side="right")))
        chunk = counts[begin:end]
        left = np.repeat(np.arange(begin, end), chunk)
        if left.size:
            within = np.arange(left.size) - np.repeat(np.cumsum(chunk) - chunk, chunk)
            yield left, starts[left] + within
        begin = end


def joined(root: Indices, left: Indices, right: Indices) -> Indices:
    """Merges the groups of left[i] and right[i] for all i; `root` maps each hash to its group's first."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, b = root[left], root[right]
    a, b = a[a != b], b[a != b]
    if a.size == 0:
        return root
    groups, positions = np.unique(np.concatenate([a, b]), return_inverse=True)
    rows, columns = positions[: a.size], positions[a.size :]
    graph = coo_matrix((np.ones(a.size, np.bool_), (rows, columns)), shape=(groups.size, groups.size))
    _, component = connected_components(graph, directed=False)
    smallest = np.full(groups.size, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component, groups)
    moved = np.arange(root.size)
    moved[groups] = smallest[component]
    return moved[root]
