"""Everything is declared in pyproject.toml but this: recipes/ is installed as photogenic/recipes/."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["photogenic", "photogenic.*"]), "photogenic.recipes"],
    package_dir={"photogenic.recipes": "recipes"},
)
