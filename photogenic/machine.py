"""What this machine has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def available_memory() -> int | None:
    """Bytes that can be used without swapping; None where the system does not say."""
    path = Path("/proc/meminfo")
    if not path.exists():
        return None
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return next((int(row[1]) * 1024 for row in rows if row[0] == "MemAvailable:"), None)


def gpu_memory() -> tuple[str, int] | None:
    """Name and bytes of the first NVIDIA GPU; asked of the driver, because importing torch takes seconds."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_gpu(answer)


def parse_gpu(answer: str) -> tuple[str, int] | None:
    """Name and bytes from the first line of "NVIDIA H100 80GB HBM3, 81559" (mebibytes)."""
    name, _, mebibytes = answer.partition("\n")[0].rpartition(",")
    return (name.strip(), int(mebibytes) * 2**20) if mebibytes.strip().isdecimal() else None
