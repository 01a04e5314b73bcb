"""What goes over a board's serial port, against a statement bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.errors import DataError, ToolError
from nn2hls.tools.boards.frames import Answer, Layout, Tensor, checksum, packed, request, unpacked
from tests.kit.boards import answer, crc, payload


@st.composite
def tensors(draw):
    """(tensors, mantissas of a few events): widths up to 70 bits, of both signs."""
    made, arrays, events = [], [], draw(st.integers(1, 3))
    for k in range(draw(st.integers(1, 3))):
        width, signed = draw(st.integers(1, 70)), draw(st.booleans())
        shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
        tensor = Tensor(f"t{k}", shape, f"ap_{'' if signed else 'u'}fixed<{width},3>")
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
        count = events * int(np.prod(shape))
        values = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
        made.append(tensor)
        arrays.append(np.array(values, dtype=object).reshape(events, *shape))
    return tuple(made), arrays


@given(tensors())
def test_bits_stand_side_by_side(case):
    made, arrays = case
    found = packed(made, arrays)
    assert found == [payload(made, [a[k] for a in arrays]) for k in range(len(arrays[0]))]
    again = unpacked(made, found)
    assert all((a == b).all() and a.shape == b.shape for a, b in zip(arrays, again, strict=True))


@given(st.binary(max_size=40))
def test_the_checksum(data):
    assert checksum(data) == crc(data)


def test_a_request():
    assert request(b"\x01\x02\x03") == bytes([0xA5, 3, 0, 1, 2, 3]) + crc(b"\x03\x00\x01\x02\x03").to_bytes(2, "little")


def test_an_answer():
    found = Answer.of(answer(b"\x07\x08", clocks=70_000))
    assert (found.clocks, found.payload) == (70_000, b"\x07\x08")


@pytest.mark.parametrize("place", range(10))
def test_every_damaged_byte_of_an_answer_is_seen(place):
    frame = bytearray(answer(b"\x07\x08", clocks=5))
    frame[place] ^= 0x10
    with pytest.raises(ToolError, match="damaged"):
        Answer.of(bytes(frame))


@pytest.mark.parametrize(("status", "says"), [(1, "wrong checksum"), (2, "wrong length"), (9, "an error")])
def test_what_the_board_refuses(status, says):
    with pytest.raises(ToolError, match=says):
        Answer.of(answer(b"\0\0", status=status))


@pytest.mark.parametrize("frame", [b"", b"\x5a", answer(b"")[:-1]])
def test_half_an_answer(frame):
    with pytest.raises(ToolError, match="damaged"):
        Answer.of(frame)


def test_what_does_not_fit_is_named():
    x = Tensor("x", (2,), "ap_fixed<4,2>")
    for array, says in (
        (np.array([[1, 8]]), "x: A mantissa does not fit"),
        (np.array([[1]]), r"x: The shape must be \(events, 2\)"),
    ):
        with pytest.raises(DataError, match=says):
            packed([x], [array])


def test_a_layout_of_a_project(tmp_path):
    layout = Layout(
        "net", "ulx3s-25", 115200, 3, (Tensor("x", (2, 3), "ap_fixed<9,4>"),), (Tensor("y", (1,), "ap_ufixed<3,0>"),)
    )
    with pytest.raises(ToolError, match="not built for a board"):
        Layout.read(tmp_path)
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "board.json").write_text(layout.text())
    assert Layout.read(tmp_path) == layout
    (tmp_path / "rtl" / "board.json").write_text(layout.text().replace('"baud": 115200', '"baud": "fast"'))
    with pytest.raises(ToolError, match="'baud' must be a whole number"):
        Layout.read(tmp_path)
