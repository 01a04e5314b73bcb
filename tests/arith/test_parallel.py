"""Chunks in threads: the same answers as in one, in order; products that wake no further threads."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from nn2hls.arith import parallel
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import Range, ints
from nn2hls.design.design import convert
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.errors import DataError
from nn2hls.graph.const import Const
from nn2hls.graph.reference import run_float
from nn2hls.ops import Dense, Relu
from nn2hls.ops.products.bounds import product_bounds
from tests.kit.networks import hls_config, mlp

SHAPES = [
    (1, 1),
    (16, 64),
    (64, 1),
    (1, 64),
    (5, 700),
    (700, 5),
    (64, 64),
    (200, 130),
    (256, 256),
    (300, 300),
    (700, 70),
    (600, 1),
    (0, 3),
    (3, 0),
]


@pytest.fixture
def set_threads(monkeypatch):
    def set_to(count):
        monkeypatch.setattr(parallel, "threads", lambda: count)

    set_to(4)
    return set_to


@pytest.fixture
def design():
    """Some of its values leave the range of their types."""
    config = hls_config({"Precision": {"input": "ap_fixed<10,3,AP_RND,AP_SAT>", "result": "ap_fixed<9,3,AP_RND>"}})
    return convert(mlp(np.random.default_rng(5), (6, 9, 4)), config)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("leading", [(0,), (1,), (2049,), (3, 700)])
def test_tiles_make_up_the_product(shape, leading, set_threads):
    rng = np.random.default_rng(shape)
    x, w = (rng.integers(-9, 10, s).astype(np.float64) for s in ((*leading, shape[0]), shape))
    product = parallel.matmul(x, w)
    assert product.shape == (*leading, shape[1])
    assert np.array_equal(product, x @ w)


@pytest.fixture
def tiles(set_threads, monkeypatch):
    """(rows, n, m) of the products that NumPy was asked for."""
    sizes, real = [], np.matmul

    def seen(a, b, out):
        sizes.append((a.shape[-2], *b.shape))
        return real(a, b, out=out)

    monkeypatch.setattr(np, "matmul", seen)
    return sizes


def wake_nobody(tiles):
    """OpenBLAS' interface/gemm.c and gemv.c: threads from 2**18 multiplications on, 9,216 where a side is 1."""
    return all(rows * n * m < (9_216 if m == 1 else 1 << 18) for rows, n, m in tiles)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_tile_is_worth_a_thread_to_openblas(shape, tiles):
    parallel.matmul(np.zeros((4096, shape[0])), np.zeros(shape))
    assert bool(tiles) == bool(shape[1])
    assert wake_nobody(tiles)


def test_bounds_and_the_float_reference_wake_nobody(tiles):
    whole = Const(np.ones((200, 150), dtype=int))
    x = Range(ints(np.arange(60_000).reshape(300, 200)), ints(np.arange(60_000).reshape(300, 200)), 0)
    layer = Dense(Const(np.ones((200, 150))), Const(np.zeros(150)))
    for compute in (lambda: product_bounds(whole, x), lambda: layer.evaluate_float(np.ones((20, 300, 200)))):
        tiles.clear()
        compute()
        assert tiles
        assert wake_nobody(tiles)


def test_the_float_reference_is_one_in_any_number_of_threads(design, set_threads):
    """And so are the warnings of NumPy, which each thread has its own setting of."""
    x = np.random.default_rng(1).normal(size=(200_000, 6))
    x[-1] = 1e308
    found = []
    for count in (2, 4):
        set_threads(count)
        with np.errstate(all="ignore"), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found.append(run_float(design.float_graph, [x])["fc1"])
        assert not told
        with np.errstate(over="raise", invalid="raise"), pytest.raises(FloatingPointError):
            run_float(design.float_graph, [x * 10])
    assert np.array_equal(*found, equal_nan=True)


def test_results_come_in_order_from_several_threads(set_threads):
    meeting = threading.Barrier(4)  # passed when four run at once
    found = list(parallel.in_order(lambda k: (meeting.wait(30), k * k)[1], range(8)))
    assert found == [k * k for k in range(8)]


def test_one_thread_means_this_one(set_threads):
    set_threads(1)
    assert set(parallel.in_order(lambda _: threading.get_ident(), range(8))) == {threading.get_ident()}


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize(("count", "most"), [(200_000, 10_240), (12_001, 10_240), (10_240, 10_240), (17, 16), (1, 5), (0, 5)])
def test_every_thread_has_as_many_parts_of_one_size(count, most, workers, set_threads):
    set_threads(workers)
    share = parallel.even_share(count, most)
    sizes = [min(share, count - start) for start in range(0, count, share)]
    assert 1 <= share <= most
    assert sum(sizes) == count
    assert len(sizes) < 2 or count < workers * workers or len(sizes) % workers == 0
    assert (len(sizes) < 2) == (count <= most)


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 3),
        ({"OPENBLAS_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "2,4"}, 2),
        ({"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "5"}, 2),
        ({"OPENBLAS_NUM_THREADS": "0"}, 3),
        ({"OMP_NUM_THREADS": "many"}, 3),
        ({"OMP_NUM_THREADS": "400"}, parallel.MOST_WORKERS),
    ],
)
def test_settings_of_a_blas_hold_for_the_threads_in_its_place(variables, count, monkeypatch):
    for name in parallel.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    assert parallel.threads() == count


def run(design, x):
    outputs, log = design.run(x)
    return outputs[0], log.overflows()


def test_answers_and_overflows_do_not_depend_on_the_threads(design, set_threads):
    design.emulator.chunk = 64
    x = np.random.default_rng(6).normal(0, 2, (1000, 6))
    x[:64] = 0  # nothing overflows in the first chunk
    x[64:128, 1:] = 0
    answers, overflows = run(design, x)
    set_threads(1)
    alone, expected = run(design, x)
    assert np.array_equal(answers, alone)
    assert overflows == expected
    assert [o.layer for o in overflows] == [n.name for n in design.graph if n.name in {o.layer for o in overflows}]
    assert len(overflows) > 1


def test_overflows_are_told_in_the_order_of_the_layers():
    log, kind = OverflowLog(), FixedType(4, 4)
    for first, second in ((0, 20), (30, 0), (9, 0)):
        own = OverflowLog()
        own.see("first", np.array([first]), 0, kind)
        own.see("second", np.array([second]), 0, kind)
        log.merge(own)
    assert [(o.layer, o.count, o.total, o.bits) for o in log.overflows()] == [("first", 2, 3, 2), ("second", 1, 3, 2)]


def test_one_design_serves_several_threads_at_once(design, set_threads):
    design.emulator.chunk = 64
    batches = [np.random.default_rng(k).normal(0, 1 + k / 2, (700, 6)) for k in range(8)]
    set_threads(1)
    expected = [run(design, x) for x in batches]
    set_threads(2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: run(design, x), batches))
    for (answers, overflows), (alone, noted) in zip(found, expected, strict=True):
        assert np.array_equal(answers, alone)
        assert overflows == noted


def test_bad_data_in_a_late_chunk_is_an_error(design, set_threads):
    design.emulator.chunk = 64
    x = np.zeros((1000, 6))
    x[777, 3] = np.nan
    with pytest.raises(DataError, match="NaN"):
        design.predict(x)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("ends", [(-8, 7), (-8, -3), (2, 7)])
def test_relu_of_every_carrier_and_range(kind, ends):
    x = np.arange(ends[0], ends[1] + 1, dtype=kind)
    kernel = Relu().kernel([Range(ints(np.full(1, ends[0])), ints(np.full(1, ends[1])), 0)])
    assert np.array_equal(kernel([x], None), np.maximum(x, 0))
    assert kernel([x], None).dtype == kind
    assert kernel([x], None, x) is x


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("width", [5, 20])
def test_dense_rounds_in_its_kernel_as_the_cast_does(rounding, overflow, width, monkeypatch):
    """The same with and without its rounding kernel, in float32 and float64."""
    x = np.random.default_rng(9).normal(0, 3, (300, 7))
    types = {"input": f"ap_fixed<{width},3>", "weight": f"ap_fixed<{width},2>", "bias": "ap_fixed<8,2>"}
    types["result"] = f"ap_fixed<7,4,AP_{rounding.name},AP_{overflow.name}>"
    design = convert(mlp(np.random.default_rng(8), (7, 6)), hls_config({"Precision": types}))
    found, overflows = run(design, x)
    dense = next(n for n in design.graph if isinstance(n.op, Dense))
    ranges = [design.emulator.ranges[i] for i in dense.inputs]
    assert (dense.op.rounding_kernel(ranges, dense.result_type) is None) == (rounding not in (Rounding.TRN, Rounding.RND))
    monkeypatch.setattr(Dense, "rounding_kernel", lambda *_: None)
    again, noted = run(replace(design), x)  # its emulator is prepared anew
    assert np.array_equal(found, again)
    assert overflows == noted
    assert overflows


@pytest.mark.parametrize("width", [10, 12, 16, 24])
def test_no_bit_of_a_sum_is_lost_in_the_rounding_kernel(width, monkeypatch):
    """Sums from 20 to 50 bits, of which the result drops one."""
    x = np.random.default_rng(9).normal(0, 3, (300, 7))
    types = {"input": f"ap_fixed<{width},4>", "weight": f"ap_fixed<{width},2>", "bias": "ap_fixed<8,2>"}
    types["result"] = f"ap_fixed<{2 * width + 1},{8},AP_RND>"
    design = convert(mlp(np.random.default_rng(8), (7, 6)), hls_config({"Precision": types}))
    kernels = []
    for kernel in (Dense.rounding_kernel, lambda *_: None):
        monkeypatch.setattr(Dense, "rounding_kernel", kernel)
        kernels.append(run(replace(design), x)[0])
    assert np.array_equal(*kernels)
    assert len(np.unique(kernels[0] % 2.0 ** -(2 * width - 9))) > 1  # the lowest bits are in use
