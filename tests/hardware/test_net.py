"""Nets: every cell's range is sound, casts are the one cast, and every op's hardware answers as its emulator does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.hardware.casts import cast, cast_raised, raised
from nn2hls.hardware.net import Code, Net, most_digits
from nn2hls.hardware.witness import run
from nn2hls.ops import __all__ as listed
from tests.kit.core_cases import EVERY, every_mode
from tests.kit.witness import hardware_equals_emulated, types


@given(st.integers(-300, 300), st.integers(0, 400), st.integers(-3, 12), st.integers(0, 3), types((1, 10), (-3, 12)))
def test_the_cast_of_a_net_is_the_one_cast(low, span, fraction, zeros, kind):
    x = np.arange(low, low + span + 1) << zeros
    net = Net()
    net.outputs = [cast(net, net.input(0, int(x[0]), int(x[-1]), zeros), fraction, kind)]
    assert run(net, [x])[0].tolist() == cast_to(x, fraction, kind).tolist()


@given(st.integers(-300, 300), st.integers(0, 400), st.integers(-3, 12), types((1, 10), (-3, 12)))
def test_what_rounding_adds_may_be_added_before(low, span, fraction, kind):
    added = raised(fraction, kind)
    if added is None:
        return
    x = np.arange(low, low + span + 1)
    net = Net()
    net.outputs = [cast_raised(net, net.add(net.input(0, low, low + span), net.const(added)), fraction, kind)]
    assert run(net, [x])[0].tolist() == cast_to(x, fraction, kind).tolist()


OPERATIONS = {
    "add": (Net.add, np.add),
    "sub": (Net.sub, np.subtract),
    "mul": (Net.mul, np.multiply),
    "maximum": (Net.maximum, np.maximum),
    "minimum": (Net.minimum, np.minimum),
    "less": (Net.less, lambda a, b: (a < b).astype(np.int64)),
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(*(st.integers(-40, 40) for _ in range(2)), *(st.integers(0, 30) for _ in range(2)))
def test_two_operands(name, a, b, more_a, more_b):
    """The witness asserts the range of every cell on every pair of values."""
    build, meaning = OPERATIONS[name]
    net = Net()
    net.outputs = [build(net, net.input(0, a, a + more_a), net.input(1, b, b + more_b))]
    x, y = (g.ravel() for g in np.meshgrid(np.arange(a, a + more_a + 1), np.arange(b, b + more_b + 1)))
    assert run(net, [x, y])[0].tolist() == meaning(x, y).tolist()


@given(st.integers(-40, 40), st.integers(0, 60), st.integers(-(2**20), 2**20), st.sampled_from([None, 0, 1, 2, 3]))
def test_products_with_constants_in_any_style(low, span, k, digits):
    net = Net(digits)
    net.outputs = [net.scale(net.input(0, low, low + span), k), net.absolute(net.input(0, low, low + span))]
    x = np.arange(low, low + span + 1)
    product, size = run(net, [x])
    assert product.tolist() == (x * k).tolist()
    assert size.tolist() == np.abs(x).tolist()
    assert digits is not None or not any(c.code in (Code.MUL, Code.MULC) for c in net.cells)


def test_equal_cells_are_made_once_and_constants_are_folded():
    net = Net()
    a, b = net.input(0, -8, 7), net.input(1, -8, 7)
    assert net.add(a, b) == net.add(b, a)
    assert net.shift(net.shift(a, 2), 3) == net.shift(a, 5)
    assert net.sub(a, a) == net.const(0)
    assert net.select(net.less(a, net.const(9)), a, b) == a
    assert net.clip(a, -8, 7) == a
    with pytest.raises(ValueError, match=r"addresses -8\.\.7"):
        net.lookup(a, [1, 2, 3])
    with pytest.raises(ValueError, match=r"0\.\.0 is proved of a wire that is always 5\.\.9"):
        net.narrowed(net.input(2, 5, 9), 0, 0)


def test_a_sum_is_a_balanced_tree():
    net = Net()
    terms = [(net.input(k, -8, 7), k % 3 == 0) for k in range(32)]
    assert net.depth(net.total(terms)) == 5


def test_backends_of_additions():
    assert [most_digits(b) for b in ("Vitis", "vivado", "Bambu", "Verilog")] == [2, 2, None, None]


@pytest.mark.parametrize("make", EVERY, ids=lambda make: make.__name__)
def test_the_hardware_of_every_op_answers_as_the_emulator(make):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        hardware_equals_emulated(make(rng, (1, 16)), seed)


def test_wide_mantissas_are_exact():
    kind, result = FixedType(90, 40), FixedType(70, 30)
    net = Net()
    net.outputs = [cast(net, net.input(0, kind.min_mantissa, kind.max_mantissa), kind.fraction, result)]
    x = np.array([kind.min_mantissa, -1, 0, 3 << 70, kind.max_mantissa], dtype=object)
    assert run(net, [x])[0].tolist() == cast_to(x, kind.fraction, result).tolist()


def test_every_op_has_cases():
    import nn2hls.ops as ops
    from nn2hls.graph.op import Op

    known = {getattr(ops, name) for name in listed if isinstance(getattr(ops, name), type)}
    classes = {c for c in known if issubclass(c, Op) and c is not Op}
    rng = np.random.default_rng(0)
    drawn = {type(case.op) for make in EVERY for case in make(rng, (4, 12))} | {type(c.op) for c in every_mode()}
    # A Scan is opened before it has types; a Carry has the type of an input that it names: tests/ops/test_carry.py.
    assert {c.__name__ for c in classes - drawn} == {"Carry", "Constant", "Input", "Scan"}
