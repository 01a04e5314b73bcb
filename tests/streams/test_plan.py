"""Whole networks, process by process, equal to the emulator on every value and output, at any numbers of positions."""

import numpy as np
import pytest
import torch

import nn2hls
from nn2hls.errors import LimitError
from nn2hls.graph.analysis import graph_ranges
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.ops import Concatenate, Constant, Divide, Elementwise, Input, MatMul, Merge, Move, Portion, Relu
from nn2hls.streams.chunks import allowed, at_least, chunk
from nn2hls.streams.plan import plan
from tests.kit import networks_in_streams, networks_of_layers
from tests.kit.streamed import checked

NETWORKS = [(networks_of_layers, n) for n in networks_of_layers.NETWORKS]
NETWORKS += [(networks_in_streams, n) for n in networks_in_streams.NETWORKS]


def drawn_positions(rng, graph, ranges):
    """For some of the layers a number of positions that is accepted."""
    found = {}
    for node in graph:
        if not node.inputs or rng.integers(2) or len(node.shape) < 2:
            continue
        wanted = {**found, node.name: int(rng.choice(allowed(node.shape[:-1])))}
        try:
            plan(graph, ranges, wanted)
        except LimitError:
            continue
        found = wanted
    return found


@pytest.mark.parametrize(("kit", "name"), NETWORKS, ids=[n for _, n in NETWORKS])
def test_networks(kit, name):
    model, shape = kit.network(name)
    rng = np.random.default_rng(3)
    design = nn2hls.convert(model, example=torch.randn((1, *shape)))
    graph = design.graph.needed()
    kinds = [n.result_type for n in graph.inputs]
    x = [
        rng.integers(k.min_mantissa, k.max_mantissa, (2, *n.shape), endpoint=True)
        for k, n in zip(kinds, graph.inputs, strict=True)
    ]
    checked(graph, x)
    for _ in range(3):
        checked(graph, x, drawn_positions(rng, graph, design.emulator.ranges))


def test_positions_that_do_not_make_up_a_layer_are_refused():
    builder = Builder()
    graph = builder.build([builder.add("act", Relu(), [builder.add("x", Input((3, 4, 2)))])])
    graph = nn2hls.convert(graph, {"Model": {"Precision": "ap_fixed<8,3>"}}).graph
    with pytest.raises(LimitError, match=r"12 positions cannot be computed 5 at a time.*one of 1, 2, 4, 12") as caught:
        plan(graph, graph_ranges(graph), {"act": 5})
    assert caught.value.where == "act"


@pytest.mark.parametrize("lead", [(6,), (3, 4), (2, 3, 4), (5, 1), (1, 4)])
def test_chunks_follow_each_other(lead):
    size = int(np.prod(lead))
    numbers = np.arange(size).reshape(lead)
    good = allowed(lead)
    for positions in range(1, size + 1):
        if positions not in good:
            with pytest.raises(ValueError, match="positions"):
                chunk(lead, positions)
            continue
        part = chunk(lead, positions)
        assert int(np.prod(part)) == positions
        first = numbers[tuple(slice(0, n) for n in part)].reshape(-1)
        assert first.tolist() == list(range(positions))
        assert at_least(lead, positions) == positions
    assert at_least(lead, size + 1) == size


def test_a_constant_leaves():
    """An output that no input reaches."""
    torch.manual_seed(0)

    class Fixed(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x), torch.relu(x) * 0 + 0.5

    design = nn2hls.convert(Fixed().eval(), example=torch.randn(1, 3))
    graph: Graph = design.graph.needed()
    rng = np.random.default_rng(0)
    kind = graph.inputs[0].result_type
    checked(graph, [rng.integers(kind.min_mantissa, kind.max_mantissa, (3, *graph.inputs[0].shape))])


@pytest.mark.parametrize("channels", [1, 2])
def test_a_window_over_an_input_is_a_chain_of_delays(channels):
    """Also where the picture has one channel, which comes first."""
    model = torch.nn.Conv2d(channels, 2, 3, padding=1).eval()
    design = nn2hls.convert(model, example=torch.randn(1, channels, 6, 6))
    network = plan(design.graph, design.emulator.ranges)
    assert [p.front.address for p in network.processes] == [None]
    (name,) = network.inputs
    assert (network.streams[name].tokens, network.streams[name].size) == (36, channels)


def test_a_rearrangement_into_a_symmetric_type_is_cast():
    """The lowest mantissa of the operand's type is none of it, though both have the same bits."""
    builder = Builder()
    builder.add("x", Input((2, 3)))
    builder.add("turned", Move.of(lambda a: a.transpose(1, 0), (2, 3)), ["x"])
    types = {"x": "ap_fixed<4,4>", "turned": "ap_fixed<4,4,AP_TRN,AP_SAT_SYM>"}
    config = {"HLSConfig": {"LayerName": {name: {"Precision": {"result": kind}} for name, kind in types.items()}}}
    design = nn2hls.convert(builder.build(["turned"]), config)
    checked(design.graph, [np.array([[[-8, -7, 7], [0, -8, 1]]])])


def test_an_input_that_is_an_output_leaves_in_the_order_in_which_it_enters():
    """A picture with channels first enters channels last, where a convolution reads it."""

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 1, 3)

        def forward(self, x):
            return self.conv(x), x

    design = nn2hls.convert(Both().eval(), example=torch.randn(1, 2, 4, 5))
    kind = design.graph.inputs[0].result_type
    x = np.random.default_rng(0).integers(kind.min_mantissa, kind.max_mantissa, (3, 2, 4, 5))
    network = checked(design.graph, [x])
    assert network.leaving[1].tolist() == network.inputs["x"].tolist() != list(range(40))


PAIRS = {"matmul": MatMul(), "divide": Divide(), "portion": Portion(7), "concatenate": Concatenate(0)}
PAIRS |= {merge.value: Elementwise(merge) for merge in Merge}


@pytest.mark.parametrize("kind", ["ap_fixed<8,5>", "ap_fixed<80,10>"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("op", PAIRS.values(), ids=PAIRS)
def test_an_operand_of_constants_alone_is_no_stream(op, first, kind):
    """Its values are in the core, in every lane those that the lane reads."""
    builder = Builder()
    names = [
        builder.add("x", Input((3, 3))),
        builder.add("c", Constant(Const(np.arange(1.0, 10.0).reshape(3, 3)))),
    ]
    builder.add("y", op, names[:: -1 if first else 1])
    types = {"x": "ap_fixed<6,4>", "c": kind}
    config = {"HLSConfig": {"LayerName": {name: {"Precision": {"result": kind}} for name, kind in types.items()}}}
    design = nn2hls.convert(builder.build(["y"]), config)
    assert [n.name for n in design.graph] == ["x", "c", "y"]
    checked(design.graph, [np.random.default_rng(0).integers(-32, 32, (3, 3, 3))])
