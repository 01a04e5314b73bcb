"""The estimate against sums done by hand, and against properties that any design must have."""

import dataclasses
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.errors import ConfigError
from nn2hls.estimate.estimate import estimate
from nn2hls.estimate.registers import alive_bits
from nn2hls.estimate.result import RESOURCES, accuracy
from nn2hls.estimate.timing import budget, place
from nn2hls.hardware.schedule import Kind, Memory, Operator, Schedule
from nn2hls.targets import find_part

KU115 = find_part("xcku115-flvb2104-2-i")
U50 = find_part("alveo-u50")
ADD16 = Operator(Kind.ADD, (16,))
MUL = Operator(Kind.MUL_CONST, (16, 12))
TABLE = Operator(Kind.ROM, (10, 18))


def chain(*path, **rest):
    """A layer of one result: its operators are its path."""
    return Schedule(operators=path, path=path, results=path[-1].widths[-1], **rest)


def clocks(*schedules, part=U50, ns=5.0, tool="vitis"):
    return estimate([(f"l{i}", s) for i, s in enumerate(schedules)], part, ns, tool).latency_cycles


def dense(products=64, outputs=8, width=24):
    adds = Operator(Kind.ADD, (width,), products - outputs)
    levels = (products // outputs - 1).bit_length()
    path = (MUL, *(Operator(Kind.ADD, (width,)),) * levels)
    return Schedule(
        operators=(dataclasses.replace(MUL, count=products), adds), path=path, results=outputs * width, products=products
    )


def test_resources_are_the_sum_of_operators_and_memories():
    layer = Schedule(
        operators=(dataclasses.replace(MUL, count=7), Operator(Kind.MUL_CONST, (8, 6), 3), dataclasses.replace(ADD16, count=5)),
        memories=(Memory(1024, 18, 32), Memory(16, 8, ports=1)),
    )
    found = estimate([("a", layer), ("b", layer)], U50, 5)
    assert found.dsp == 14
    assert found.lut == 2 * (3 * 40 + 5 * (16 + 7) + 8)
    assert found.bram == 64
    assert found.uram == 0
    older = estimate([("a", layer)], KU115, 5)
    assert older.lut == 3 * 40 + 5 * 16 + 8


def test_operators_chain_until_the_period_is_full():
    """16-bit adders of 0.68 + 16 * 0.006 = 0.776 ns: four fit into 5 ns less 27 %, also across layers."""
    assert [clocks(chain(*(ADD16,) * n)) for n in (1, 4, 5, 8, 9)] == [0, 0, 1, 1, 2]
    assert [clocks(*(chain(ADD16),) * n) for n in (4, 5, 8, 9)] == [0, 1, 1, 2]
    assert clocks(*(chain(ADD16),) * 5, tool="vivado") == 0  # 12.5 % leaves room for five


def test_an_operator_longer_than_the_period_is_pipelined():
    assert clocks(chain(MUL), ns=1.0) == 2  # 1.94 ns in steps of 0.73 ns
    assert clocks(chain(MUL), ns=5.0) == 0


def test_a_block_ram_costs_a_clock_and_a_table_in_luts_does_not():
    assert clocks(chain(TABLE)) == 1
    assert clocks(chain(Operator(Kind.ROM, (5, 18)))) == 0
    assert clocks(chain(TABLE, TABLE)) == 2


def test_branches_run_side_by_side():
    layers = [("a", chain(*(ADD16,) * 9)), ("b", chain(ADD16)), ("join", chain(ADD16))]
    reads = {"a": ("x",), "b": ("x",), "join": ("a", "b")}
    found = estimate(layers, U50, 5, operands=reads, inputs={"x": 16})
    assert found.latency_cycles == 2
    alone = estimate(layers[1:], U50, 5, operands={"b": ("x",), "join": ("b",)}, inputs={"x": 16})
    # b waits two clocks for a, in 16 bits; a holds its operand or sum at each of its two edges.
    assert found.ff == alone.ff + 2 * 16 + 2 * 16


def test_a_reused_layer_takes_its_steps_and_the_depth_of_one():
    step = (ADD16,) * 5
    for steps in (2, 3, 64):
        assert clocks(chain(*step, ii=steps)) == steps + 1
    assert clocks(chain(ADD16), chain(ADD16, ii=4), chain(ADD16)) == 1 + 4  # it starts and ends at an edge
    found = estimate([("a", chain(*step, ii=6)), ("b", chain(ADD16, ii=4))], U50, 5)
    assert found.ii == 6
    assert [layer.ii for layer in found.layers] == [6, 4]


def test_registers_are_the_bits_alive_at_the_cut():
    layer = dense(products=64, outputs=8, width=24)
    assert alive_bits(layer, 0, 256) == 256
    assert alive_bits(layer, 1, 256) == 256 + 64 * (16 + 12)
    # 64 products in 8 trees: 32, 16, 8 values after the levels; 56 additions halve to 28, 14.
    assert [alive_bits(layer, k, 256) for k in (2, 3, 4)] == [24 * (8 + 28), 24 * (8 + 14), 24 * 8]


def test_a_reused_layer_holds_operands_sums_and_results():
    step = (Operator(Kind.ROM, (4, 20), 8), Operator(Kind.SELECT, (16, 64), 8), Operator(Kind.MUL, (16, 16), 8))
    layer = Schedule(ii=16, operators=step, path=tuple(dataclasses.replace(o, count=1) for o in step), results=40, state=300)
    found = estimate([("a", layer)], U50, 20, inputs={"x": 1024})
    assert found.ff == 1024 + 300 + 40 + 5  # one edge long steps: no cut inside, and a counter to 16
    # Cut after the choice of the operand: eight operands and their eight ROM words.
    assert alive_bits(layer, 2, 1024) == 8 * (16 + 20)


@given(st.integers(1, 400), st.integers(1, 12), st.floats(1.0, 20.0))
def test_a_faster_clock_never_saves_clocks_or_time_travel(products, levels, ns):
    path = (MUL, *(Operator(Kind.ADD, (16 + i,)) for i in range(levels)))
    layer = Schedule(operators=(dataclasses.replace(MUL, count=products),), path=path, results=16 * products)
    for part in (KU115, U50, find_part("pynq-z2"), find_part("vck190")):
        slow, fast = clocks(layer, part=part, ns=2 * ns), clocks(layer, part=part, ns=ns)
        assert slow <= fast
        period = budget(ns, "vitis")
        total = sum(part.family.delay(op) * part.speed for op in path)
        assert (fast + 1) * period >= total - 1e-6  # everything has its time


def test_a_faster_speed_grade_is_never_slower():
    layer = dense(512, 16)
    counts = [clocks(layer, layer, layer, part=find_part(f"xcvu13p-flga2577-{g}-e"), ns=2) for g in (1, 2, 3)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2]


def test_after_synthesis():
    parallel = estimate([("a", dense())], U50, 5)
    assert parallel.synthesised.dsp == parallel.dsp
    assert parallel.synthesised.lut == round(0.53 * parallel.lut)
    assert parallel.synthesised.ff == round(0.67 * parallel.ff)
    reused = estimate([("a", dataclasses.replace(dense(), ii=4))], U50, 5)
    assert reused.synthesised.lut == round(0.30 * reused.lut)
    # Without a product every adder is its bits, without what the tool reserves.
    free = estimate([("a", chain(*(ADD16,) * 5))], U50, 5)
    assert free.lut == 5 * 23
    assert free.synthesised.lut == 5 * 16


def test_utilisation_is_of_the_part():
    found = estimate([("a", dense())], find_part("pynq-z2"), 5)
    assert found.utilisation["dsp"] == found.synthesised.dsp / 220
    assert found.utilisation["uram"] == 0.0


def test_plain_data_and_text_say_the_same():
    found = estimate([("first", dense()), ("second", dense())], KU115, 5, "Vivado", inputs={"x": 256})
    data = json.loads(json.dumps(found.to_dict()))
    assert (data["dsp"], data["lut"], data["latency_cycles"]) == (found.dsp, found.lut, found.latency_cycles)
    assert data["latency_ns"] == 5 * found.latency_cycles
    assert [sum(layer[r] for layer in data["layers"]) for r in RESOURCES] == [data[r] for r in RESOURCES]
    text = found.text()
    for word in ("first", "second", "HLS report", "after synthesis", "not validated", f"{found.lut:,}", "5,520", "xcku115"):
        assert word in text
    bands = accuracy(found)
    assert all(bands[column][r] for column in ("report", "synthesised") for r in RESOURCES)


@pytest.mark.parametrize(
    ("tool", "ns", "says"), [("vitsi", 5, "Did you mean 'vitis'?"), ("vitis", 0, "must be positive"), ("vitis", -1, "-1")]
)
def test_bad_settings_are_refused(tool, ns, says):
    with pytest.raises(ConfigError) as error:
        estimate([("a", dense())], U50, ns, tool)
    assert says in str(error.value)


def test_no_layers_cost_nothing():
    found = estimate([], U50, 5)
    assert [getattr(found, r) for r in RESOURCES] == [0] * 5
    assert (found.latency_cycles, found.ii) == (0, 1)


def test_cuts_lie_inside_the_path():
    layers = [("a", dense(256, 4)), ("b", dense(256, 4))]
    placed = place(layers, {"a": ("x",), "b": ("a",)}, KU115, 1.5)
    for name, schedule in layers:
        assert list(placed[name].cuts) == sorted(placed[name].cuts)
        assert all(0 <= c < len(schedule.path) for c in placed[name].cuts)
    ends = [placed[n].end.key() for n, _ in layers]
    assert all(a <= b for a, b in itertools.pairwise(ends))


def test_the_public_pruned_tagger(shared):
    """Dense layers at <16,6>: 948 multipliers by the digit rule at reuse 1, ceil(nnz / R) of each layer at reuse R."""
    pytest.importorskip("h5py")
    from benchmarks.estimate_reference import KNOWN, size, tagger

    graph = tagger(shared / "models", softmax=False)
    part, backend, _ = KNOWN[0]
    found = {reuse: size(graph, part, backend, reuse) for reuse in range(1, 7)}
    assert found[1].dsp == 948
    nonzeros = [layer.products for layer in found[1].layers if layer.products]
    assert sum(nonzeros) == 1205
    for reuse in range(2, 7):
        assert found[reuse].dsp == sum(-(-n // reuse) for n in nonzeros)
        assert found[reuse].ii == reuse
    latencies = [found[reuse].latency_cycles for reuse in range(1, 7)]
    assert all(a < b for a, b in itertools.pairwise(latencies))
    assert found[1].latency_cycles >= 4  # a DSP and an adder tree in each of four layers do not fit in one clock
