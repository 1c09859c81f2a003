"""Names of files in a run folder that more than one room asks for."""

from __future__ import annotations

RESOLVED = "recipe.resolved.yaml"  # the run's recipe, every default filled in; a recipe itself
