"""Levels between thresholds: rows that are none, numbers finer than the operand, a row for each element."""

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Marks, Places
from nn2hls.graph.op import Hints
from nn2hls.hardware.net import Code
from nn2hls.ops import Steps

ROWS, LEVELS = Marks(np.zeros((2, 1))), Const(np.zeros((2, 2)))


@pytest.mark.parametrize(
    "op",
    [
        Steps.of((1.0, 0.0), (0.0, 1.0, 2.0)),
        Steps.of((0.0,), (1.0,)),
        Steps(Marks(np.zeros(2)), Const(np.zeros((2, 3)))),
        Steps(Marks(np.zeros((2, 2))), Const(np.zeros((1, 3)))),
    ],
    ids=["descend", "too few", "no rows", "one row of levels"],
)
def test_levels_that_are_none_are_refused(op):
    with pytest.raises(ModelError, match=r"^where: Its thresholds must be finite and ascend, and there must be one level more"):
        op.infer([(3,)], "where")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (Steps.of((np.nan,), (0.0, 1.0)), "Its thresholds is nan, and has to be a finite number"),
        (Steps.of((0.0,), (0.0, np.inf)), "Its levels is inf, and has to be a finite number"),
        (Steps(ROWS, LEVELS, Places(np.array([0, 2, 1]))), "Elements choose among 2 rows of thresholds another one"),
        (Steps(ROWS, LEVELS, Places(np.array([0, -1, 1]))), "Elements choose among 2 rows of thresholds another one"),
        (Steps(ROWS, LEVELS, Places(np.array([0, 1]))), r"Rows for a shape \(2,\) do not fit a tensor of \(3,\)"),
    ],
    ids=["nan", "infinite", "above", "below", "shape"],
)
def test_rows_that_are_none_are_refused(op, message):
    with pytest.raises(ModelError, match=message):
        op.infer([(3,)], "where")


def test_rows_that_one_grid_does_not_tell_apart_are_computed_alike():
    """0.3 and 0.4 are both 1 on whole numbers; the levels count, too; a threshold beyond all values is no comparison."""
    at, levels = [[0.3], [0.4], [0.4], [9.0]], [[0, 1], [0, 1], [1, 0], [0, 1]]
    op = Steps(Marks(np.array(at)), Const(np.array(levels, float)), Places(np.arange(4)))
    x = Range.of_type(FixedType(4, 4)).broadcast((4,))
    op = op.resolve([x], Hints())
    hardware = op.hardware([x], FixedType(2, 2))
    assert [loop.lanes for loop in hardware.loops] == [2, 1, 1]
    assert [sum(net.cells[w].code is Code.LESS for w in net.alive()) for net in (loop.body for loop in hardware.loops)] == [
        1,
        1,
        0,
    ]


def test_a_threshold_finer_than_the_operand_is_compared_as_it_is():
    op, x = Steps.of((np.nextafter(0.5, 1), 0.75), (0.0, 1.0, 2.0)), Range.of_type(FixedType(3, 1))
    op = op.resolve([x.broadcast((1,))], Hints())
    found = op.kernel([x.broadcast((1,))])([np.arange(-4, 4, dtype=np.float32)[:, None]], None)
    assert found.ravel().tolist() == [0, 0, 0, 0, 0, 0, 0, 2], "0.5 is not reached, 0.75 is"


def test_a_scalar_beyond_64_bits():
    op, x = Steps.of((0.5,), (-1.0, 1.0)), Range.of_type(FixedType(80, 80))
    op = op.resolve([x], Hints())
    assert (x.shape, op.exact([x]).low, op.exact([x]).high) == ((), -1, 1)
