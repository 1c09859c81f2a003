"""The lengths of averages that are tracked; without torch."""

from __future__ import annotations

TRACKED = (0.05, 0.10)  # two power-function profiles, of which all others are made (EDM2, section 3.2)
