"""How calm the machine is: what share of a core a process gets that asks for all of it.

    python benchmarks/calm.py

1.00: nobody else computes there. Benchmarks of latency print it beside their figures, taken before and after:
what they find on a busy machine says little of the server.
"""

from __future__ import annotations

import os
import time


def share_of_core(core: int | None = None, seconds: float = 0.4) -> float:
    """What this process gets of a core, or of whichever it is given."""
    allowed = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    begun, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < seconds:
        pass
    share = (time.process_time() - cpu) / (time.perf_counter() - begun)
    os.sched_setaffinity(0, allowed)
    return share


def calmness() -> float:
    """The share on the busiest of the cores that this process may use."""
    return min(share_of_core(core) for core in sorted(os.sched_getaffinity(0)))


def pin_server(pid: int) -> str:
    """Give the server the last core and its callers the others, where there is more than one; in words."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return f"server and callers share core {cores[0]}"
    os.sched_setaffinity(pid, {cores[-1]})
    return f"server on core {cores[-1]}, callers on {len(cores)} cores"


def verdict(misses: list[str], before: float, after: float) -> int:
    """Print how calm it was and whether all goals were met; the exit status."""
    calm = min(before, after)
    print(f"calm: {calm:.2f} of the busiest core was free")
    met = "all goals met" if not misses else f"missed: {', '.join(misses)}"
    print(f"verdict: {met}{'' if calm > 0.9 else '; others used the machine, so a miss says little'}")
    return 1 if misses else 0


def main() -> None:
    """Print it for each core."""
    for core in sorted(os.sched_getaffinity(0)):
        print(f"core {core}: {share_of_core(core):.2f}")


if __name__ == "__main__":
    main()
