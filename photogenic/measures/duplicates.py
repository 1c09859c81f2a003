"""Near-duplicates among perceptual hashes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]
Block = tuple[int, int]  # of bits: begin and length

HASH_BITS = 64
RADIX_BITS = 16  # numpy sorts integers of so many by counting
MAX_DISTANCE = 15  # beyond a quarter of the bits, agreement is chance
MAX_EQUAL = 8  # blocks
ENTROPY_SAMPLE = 2**16  # hashes
# Of one core (docs/measures.md): for a hash, each time that so many are sorted, and for a comparison.
SORT_NS = {1e6: 60.0, 1e7: 200.0}  # the larger no longer fit a cache
PAIR_NS = 10.0


def hamming(a: Hashes | int, b: Hashes | int) -> NDArray[np.uint8]:
    """The number of differing bits of 64-bit hashes, element by element with broadcasting."""
    return np.asarray(np.bitwise_count(np.bitwise_xor(np.uint64(a), np.uint64(b))), np.uint8)


def near_duplicate_groups(hashes: Hashes, max_distance: int = 6) -> Indices:
    """Groups of hashes connected by steps of at most `max_distance` bits: [N] uint64 -> [N] int64.

    A group's label is the index of its first member; a hash without neighbours is its own group. Groups are
    connected components, so the ends of a chain may lie further apart than `max_distance`.

    Blocks of bits (G. Manku, A. Jain & A. Das Sarma, Detecting near-duplicates for web crawling, 2007): of
    r + p blocks, two hashes at distance <= r agree in at least p. So all are sorted by each choice of p
    blocks, and only runs of equal ones are compared; p grows with the number of hashes. Equal hashes are
    folded first, and a run that is one group already is passed over: a hundred thousand blank pictures cost
    no more than one. Memory is bounded whatever the lengths of runs.
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
        dealt, blocks, num_equal = _dealt(unique, max_distance)
        for ordered, numbers, bits in _arranged(dealt, np.arange(unique.size), blocks, num_equal):
            root = _joined_in_runs(root, ordered, numbers, bits, max_distance)
    earliest = np.full(unique.size, hashes.size, np.int64)
    np.minimum.at(earliest, root, first)
    return earliest[root][inverse]


def expected_seconds(num: float, max_distance: int = 6, entropy: float = HASH_BITS) -> float:
    """How long one core takes for the groups of `num` hashes.

    entropy: in bits; two hashes agree in a share of their bits with a probability of 2 to the minus that
    share of it. 64 of random hashes; less where bits seldom vary, or depend on one another.
    """
    return _cheapest(num, max_distance, entropy)[0] if max_distance > 0 else 0.0


def _cheapest(num: float, max_distance: int, entropy: float) -> tuple[float, int]:
    """(seconds, p): in how many blocks hashes must agree. More mean fewer comparisons, and more sorts."""
    costs = []
    sort_ns = float(np.interp(num, list(SORT_NS), list(SORT_NS.values())))
    for num_equal in range(1, MAX_EQUAL + 1):
        num_blocks = max_distance + num_equal
        pairs = num**2 / 2 * 2.0 ** (-entropy * num_equal / num_blocks)
        nanoseconds = math.comb(num_blocks, num_equal) * (num * sort_ns + pairs * PAIR_NS)
        costs.append((nanoseconds / 1e9, num_equal))
    return min(costs)


def _dealt(unique: Hashes, max_distance: int) -> tuple[Hashes, list[Block], int]:
    """The hashes with their bits in another order; the blocks; and in how many of them hashes must agree.

    Each block gets its share of the bits that vary: in a pool of grey pictures all bits of chroma are equal,
    and a block of nothing else would make one giant run.
    """
    shares = np.array([np.mean(unique >> np.uint64(bit) & np.uint64(1)) for bit in range(HASH_BITS)])
    liveliest_first = np.argsort(-shares * (1 - shares), kind="stable")
    num_equal = _cheapest(unique.size, max_distance, _entropy(unique, liveliest_first))[1]
    num_blocks = max_distance + num_equal
    dealt, blocks, position = np.zeros_like(unique), [], 0
    for number in range(num_blocks):
        bits = liveliest_first[number::num_blocks]
        blocks.append((position, bits.size))
        for bit in bits:
            dealt |= (unique >> np.uint64(bit) & np.uint64(1)) << np.uint64(position)
            position += 1
    return dealt, blocks, num_equal


def _entropy(unique: Hashes, liveliest_first: Indices) -> float:
    """As `expected_seconds` has it: of a sample, by a quarter of its bits."""
    sample = unique[:: -(-unique.size // ENTROPY_SAMPLE)]
    keys = np.zeros(sample.size, np.int64)
    for bit in liveliest_first[::4]:
        keys = keys << 1 | (sample >> np.uint64(bit) & np.uint64(1)).astype(np.int64)
    counts = np.bincount(keys)
    pairs, alike = sample.size * (sample.size - 1), int((counts * (counts - 1)).sum())
    return min(HASH_BITS, 4 * math.log2(pairs / max(1, alike))) if pairs else HASH_BITS


def _arranged(
    hashes: Hashes, numbers: Indices, blocks: list[Block], num_equal: int, bits: int = 0
) -> Iterator[tuple[Hashes, Indices, int]]:
    """Of each choice of blocks: hashes and their numbers, sorted by these blocks; and the blocks' bits."""
    if num_equal == 0:
        yield hashes, numbers, bits
        return
    for i, (begin, length) in enumerate(blocks[: len(blocks) - num_equal + 1]):
        order = _order(hashes, begin, length)
        more = bits | (2**length - 1) << begin
        yield from _arranged(hashes[order], numbers[order], blocks[i + 1 :], num_equal - 1, more)


def _order(hashes: Hashes, begin: int, length: int) -> Indices:
    """Sorts hashes by some of their bits, and leaves equal ones in their order."""
    order = np.arange(hashes.size)
    for low in range(begin, begin + length, RADIX_BITS):
        width = min(RADIX_BITS, begin + length - low)
        keys = (hashes >> np.uint64(low) & np.uint64(2**width - 1)).astype(np.uint16)
        order = order[np.argsort(keys[order], kind="stable")]
    return order


def _joined_in_runs(root: Indices, hashes: Hashes, numbers: Indices, bits: int, max_distance: int) -> Indices:
    """Merges the groups of near hashes within each run of those that are equal in `bits`."""
    differing = hashes[1:] ^ hashes[:-1]
    alike = differing & np.uint64(bits) == 0
    near = np.flatnonzero(alike & (np.bitwise_count(differing) <= max_distance))
    root = joined(root, numbers[near], numbers[near + 1])
    runs = _Runs(alike)
    at = np.flatnonzero(runs.mixed(root[numbers]))
    followers = runs.followers()[at]
    found, num_found = [np.empty((0, 2), np.int64)], 0  # pairs of near hashes that no group joins yet
    for step in count(2):
        going_on = followers >= step
        if num_found > at.size:  # so memory is bounded, and long runs of look-alikes are soon passed over
            root = joined(root, *np.concatenate(found).T)
            found, num_found = found[:1], 0
            going_on &= runs.mixed(root[numbers])[at]
        at, followers = at[going_on], followers[going_on]
        if at.size == 0:
            break
        near = at[hamming(hashes[at], hashes[at + step]) <= max_distance]
        pairs = np.stack([numbers[near], numbers[near + step]], axis=1)
        apart = root[pairs[:, 0]] != root[pairs[:, 1]]
        if apart.any():
            found.append(pairs[apart])
            num_found += len(found[-1])
    return joined(root, *np.concatenate(found).T)


class _Runs:
    """Runs of positions, each alike the next: `alike` is [N - 1]."""

    def __init__(self, alike: NDArray[np.bool_]) -> None:
        self._alike = alike
        self._last = np.append(np.flatnonzero(~alike), alike.size)  # of each run
        self._lengths = np.diff(self._last, prepend=-1)

    def followers(self) -> Indices:
        """[N]: how many positions follow in the same run."""
        return np.repeat(self._last, self._lengths) - np.arange(self._alike.size + 1)

    def mixed(self, groups: Indices) -> NDArray[np.bool_]:
        """[N]: is the position's run of more than one of the groups [N]? Another has nothing to compare."""
        differ = np.flatnonzero(self._alike & (groups[1:] != groups[:-1]))
        mixed = np.zeros(self._last.size, np.bool_)
        mixed[np.searchsorted(self._last, differ)] = True
        return np.repeat(mixed, self._lengths)


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
