"""What a quantised model does to values: the float reference rounds as the cast does, and levels are exact."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import Range
from nn2hls.graph.op import Hints
from nn2hls.ops import Quantize
from tests.kit.witness import types
from tests.slow.fixed import cast_slow


@settings(max_examples=200, deadline=None)
@given(kind=types((1, 12), (-3, 10)), values=st.lists(st.integers(-(2**14), 2**14), min_size=1, max_size=20))
def test_the_reference_rounds_and_saturates_as_the_cast(kind, values):
    """Quarters of a step, ties among them, far beyond both ends; and neighbours of ties among the floats."""
    x = np.array(values) * kind.step / 4
    near = x[x != 0]
    x = np.concatenate([x, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), [1e-300, -1e-300]])
    found = Quantize(kind).evaluate_float(x)
    assert found.tolist() == [float(cast_slow(Fraction(v), kind) * Fraction(2) ** -kind.fraction) for v in x.tolist()]
    assert not np.signbit(found[found == 0]).any()


def test_a_type_of_the_model_is_no_type_to_resolve():
    kind = FixedType(4, 1, True, Rounding.RND_CONV, Overflow.SAT)
    op = Quantize(kind)
    assert op.resolve([Range.of_type(FixedType(8, 4))], Hints()) is op
    assert op.types() == {}
