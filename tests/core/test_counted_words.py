import pytest

from photogenic.core.words import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 samples"), (1, "1 sample"), (2, "2 samples"), (1234567, "1,234,567 samples")]
)
def test_a_number_and_its_noun(number: int, said: str) -> None:
    assert counted(number, "sample") == said


def test_a_plural_of_its_own() -> None:
    assert counted(1, "copy", "copies") == "1 copy"
    assert counted(3, "copy", "copies") == "3 copies"
