"""The drawing of a network: nothing lies on anything else, and every way leads from a layer to one that reads it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.figures.layout import HEIGHT, MOST, WIDTH, drawing, shortened


@st.composite
def networks(draw):
    count = draw(st.integers(1, 25))
    return [sorted(draw(st.sets(st.integers(0, k - 1), max_size=3))) if k else [] for k in range(count)]


def ends(way):
    """Where a path of lines and curves begins and ends."""
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", way)]
    return tuple(numbers[:2]), tuple(numbers[-2:])


@given(networks())
def test_boxes_do_not_meet_and_ways_lead_down(reads):
    found = drawing(reads)
    boxes = {b.number: b for b in found.boxes}
    assert sorted(boxes) == list(range(len(reads)))
    for a in boxes.values():
        assert a.x >= 0
        assert a.x + WIDTH <= found.width + 1
        assert 0 <= a.y <= found.height - HEIGHT
        assert not [b for b in boxes.values() if a != b and abs(a.x - b.x) < WIDTH and abs(a.y - b.y) < HEIGHT]
    for k, before in enumerate(reads):
        assert all(boxes[b].y < boxes[k].y for b in before)


@given(networks())
def test_every_reader_is_reached(reads):
    """Following the pieces of the ways from each layer finds exactly its readers."""
    found = drawing(reads)
    middle = {(b.x + WIDTH / 2, b.y): b.number for b in found.boxes}

    def near(x, y):
        return next((n for (u, v), n in middle.items() if abs(u - x) < 0.6 and abs(v - y) < 0.6), None)

    pieces = {}
    for way in found.ways:
        start, end = ends(way)
        source = near(start[0], start[1] - HEIGHT)
        pieces.setdefault(start if source is None else source, []).append(end)
    for k in range(len(reads)):
        todo, reached = list(pieces.get(k, ())), set()
        while todo:
            end = todo.pop()
            number = near(*end)
            if number is None:
                todo += pieces[end]
            else:
                reached.add(number)
        assert reached == {r for r, before in enumerate(reads) if k in before}


def test_chains_stand_straight_and_sisters_beside_each_other():
    chain = drawing([[], [0], [1]])
    assert len({b.x for b in chain.boxes}) == 1
    split = drawing([[], [0], [0], [1, 2]])
    assert split.boxes[1].y == split.boxes[2].y
    assert split.boxes[0].x == split.boxes[3].x


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_nothing_is_drawn_of_none_or_too_many(count):
    assert drawing([[]] * count) is None


def test_lines_that_are_too_long_say_so():
    assert shortened("a" * 28, 28) == "a" * 28
    assert shortened("a" * 29, 28) == "a" * 27 + "…"
    assert shortened("図" * 20, 10) == "図" * 4 + "…"
