"""A whole fixed graph on fractions, one event at a time: what every value must be."""

from functools import lru_cache

import numpy as np

from nn2hls import ops
from tests.slow import activation, elementwise, inverse, matmul, order, reduce, relative, softmax, table
from tests.slow import move as moves
from tests.slow.dense import dense_slow
from tests.slow.fixed import cast_slow, value_slow

_SIMPLE = {
    ops.Normalised: lambda op, x, n: inverse.normalised(op, x),
    ops.Relu: lambda op, x, n: activation.relu(op, x),
    ops.LeakyRelu: lambda op, x, n: activation.leaky_relu(op, x, np.broadcast_to(op.slope.array, n.shape).ravel()[n.at]),
    ops.Clip: lambda op, x, n: activation.clip(op, x),
    ops.HardSigmoid: lambda op, x, n: activation.hard_sigmoid(op, x),
    ops.HardSwish: lambda op, x, n: activation.hard_swish(op, x),
    ops.Unary: lambda op, x, n: activation.unary(op, x),
    ops.Threshold: lambda op, x, n: activation.threshold(op, x),
    ops.Quantize: lambda op, x, n: activation.quantize(op, x),
    ops.QuantizeEach: lambda op, x, n: activation.quantize_each(op, x, *own(op, n)),
    ops.Lookup: lambda op, x, n: activation.lookup(op, x, *own(op, n)),
    ops.Steps: lambda op, x, n: activation.steps(op, x, *own(op, n)),
    ops.Table: lambda op, x, n: _table(op, x),
}
_WHOLE = {
    ops.Elementwise: lambda op, xs, shape: elementwise.elementwise(op, xs, shape),
    ops.Scale: lambda op, xs, shape: elementwise.scale(op, xs[0]),
    ops.Softmax: lambda op, xs, shape: softmax.rows(op, xs),
    ops.Move: lambda op, xs, shape: moves.move(op, xs),
    ops.Reduce: lambda op, xs, shape: reduce.reduced(op, xs, shape),
    ops.MatMul: lambda op, xs, shape: matmul.matmul(xs, shape),
    ops.Portion: lambda op, xs, shape: elementwise.portion(op, xs, shape),
    ops.Divide: lambda op, xs, shape: relative.divide(op, xs, shape),
    ops.Norm: lambda op, xs, shape: relative.normalise(op, xs, shape),
    ops.TopK: lambda op, xs, shape: order.top(op, xs[0], shape),
    ops.Embedding: lambda op, xs, shape: order.embedding(op, xs[0], shape),
    ops.Gather: lambda op, xs, shape: order.gather(op, *xs, shape),
    ops.Reshape: lambda op, xs, shape: xs[0].reshape(shape),
    ops.Transpose: lambda op, xs, shape: xs[0].transpose(op.axes),
    ops.Concatenate: lambda op, xs, shape: np.concatenate(xs, axis=op.axis),
}


class _Place:
    """The flat index of an element in a shape."""

    def __init__(self, shape, at):
        self.shape, self.at = shape, at


@lru_cache(maxsize=100_000)
def _table(op, x):
    return table.table(op, x)


def own(op, place):
    """What the constants of an element are that broadcast to a tensor."""
    return [int(np.broadcast_to(getattr(op, name).array, place.shape).ravel()[place.at]) for name in op.per_channel]


def exact_slow(op, xs, shape):
    """Fractions of the exact result before the one cast; Dense is not among these, it is whole numbers all the way."""
    if type(op) in _WHOLE:
        return _WHOLE[type(op)](op, xs, shape)
    (x,) = xs
    out = np.empty(x.size, dtype=object)
    for k, v in enumerate(x.ravel()):
        out[k] = _SIMPLE[type(op)](op, v, _Place(shape, k))
    return out.reshape(shape)


def node_slow(graph, node, mantissas):
    """Result mantissas of one node from those of its operands, as an object array of its shape."""
    op, operands = node.op, graph.operands(node)
    xs = [mantissas[o.name] for o in operands]
    if isinstance(op, ops.Constant):
        return _objects(op.value.array.ravel().tolist(), node.shape)
    if isinstance(op, ops.Dense):
        rows = xs[0].reshape(-1, xs[0].shape[-1])
        kinds = operands[0].type, op.weight.array, op.weight_t, op.bias.array, op.bias_t
        done = [dense_slow(row, *kinds, node.type, op.accum_t) for row in rows]
        return _objects([m for row in done for m in row], node.shape)
    exact = exact_slow(op, [fractions(x, o.type) for x, o in zip(xs, operands, strict=True)], node.shape)
    return _objects([cast_slow(v, node.type) for v in np.ravel(exact)], node.shape)


def graph_slow(graph, inputs):
    """Mantissas of every node for one event.

    Args:
        graph: A fixed graph.
        inputs: Mantissas of each input, object arrays of its shape.
    """
    found = {n.name: _objects(np.ravel(x).tolist(), n.shape) for n, x in zip(graph.inputs, inputs, strict=True)}
    for node in graph:
        if node.name not in found:
            found[node.name] = node_slow(graph, node, found)
    return found


def fractions(mantissas, kind):
    """The values of mantissas."""
    return _objects([value_slow(m, kind) for m in mantissas.ravel()], mantissas.shape)


def _objects(values, shape):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out.reshape(shape)
