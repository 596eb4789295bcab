"""A place in the queue for room in MGN, in words."""

import pytest

from cli.queueing import in_words
from runtime.logic.dispatch.packing import Place


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(12, None), "#12"),
        (Place(1, 0), "#1, soon"),
        (Place(12, 2_400), "#12, in about 40 min"),
        (Place(900, 4 * 2_400), "#900, in about 3 h"),
    ],
)
def test_place_in_words(place: Place, words: str) -> None:
    assert in_words(place) == words
