"""Layers of the field that are no part of Keras: known by the name they are registered under and by their config.

GarNet and GarNetStack as hls4ml's ``contrib`` has them, GarNet, GravNet and GlobalExchange as caloGraphNN has them, and
sampling and divergence of variational autoencoders. Their code is never run: a config with an option that is not known here,
or weights of other shapes, are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import graphs, reductions, shape, value
from nn2hls.converters.lower.activations import function
from nn2hls.converters.lower.graphs import Affine, Vertices
from nn2hls.converters.lower.moves import expand
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.errors import ModelError
from nn2hls.graph.graph import Fate
from nn2hls.ops import Reduction

PARTS = ("FLR", "S", "Fout")  # what is handed on, the space or the aggregators, the output
# The attributes of these sub-layers, which .keras files have for folders, with or without an underscore.
FOLDERS = {
    "input_feature_transform": 0,
    "input_spatial_transform": 1,
    "aggregator_distance": 1,
    "output_feature_transform": 2,
}
_COLLAPSE = {"mean": Reduction.MEAN, "sum": Reduction.SUM, "max": Reduction.MAX}
_INPUTS = {"x": 1, "xn": 2, "xen": 3}


def weight_names(layer: Layer) -> list[str]:
    """Names of the weights in their order; those of a stack are numbered."""
    blocks = range(len(layer.integers("n_filters"))) if layer.kind == "GarNetStack" else ("",)
    return [f"{part}{k}/{name}" for k in blocks for part in PARTS for name in ("kernel", "bias")]


def _affine(layer: Layer, part: str, n_in: int, n_out: int) -> Affine:
    kernel, bias = layer.weights[f"{part}/kernel"], layer.weights[f"{part}/bias"]
    if kernel.shape != (n_in, n_out) or bias.shape != (n_out,):
        what = f"Its {part} has weights of the shapes {kernel.shape} and {bias.shape}, and its config asks for {(n_in, n_out)}."
        raise ModelError(what, where=layer.where, fix="Save config and weights of one model.")
    return Affine(kernel, bias)


def _positive(layer: Layer, *keys: str) -> tuple[int, ...]:
    found = tuple(layer.integer(key) for key in keys)
    for key, number in zip(keys, found, strict=True):
        if number < 1:
            raise Refusal(f"its '{key}' is {number} and must be above zero")
    return found


def gravnet(layer: Layer) -> Prepared:
    """GravNet: neighbours in a learned space; the vertex itself is the first of ``n_neighbours``."""
    count, dimensions, filters, propagate = _positive(layer, "n_neighbours", "n_dimensions", "n_filters", "n_propagate")
    both = layer.flag("also_coordinates", False)
    layer.value("feature_dropout")  # of training alone

    def lower(site: Site) -> Tensor | Sequence[Tensor]:
        x = site.tensor
        width = plain(x)[-1]
        coordinates = _affine(layer, "S", width, dimensions).at(site.step("S"), x)
        features = _affine(layer, "FLR", width, propagate).at(site.step("FLR"), x)
        gathered = graphs.gravnet(site.step("gathered"), x, features, coordinates, count)
        out = _affine(layer, "Fout", width + 2 * propagate, filters).at(site.step("Fout"), gathered)
        result = function(site, out, "tanh")
        return [result, coordinates] if both else result

    return lower


def garnet(layer: Layer) -> Prepared:
    """One GarNet layer: hls4ml's has the option ``simplified``, caloGraphNN's has not."""
    aggregators, filters, propagate = _positive(layer, "n_aggregators", "n_filters", "n_propagate")
    if "simplified" not in layer.config:
        return lambda site: _whole(site, layer, aggregators, filters, propagate)
    return _collapsing(layer, [("", aggregators, filters, propagate)])


def garnet_stack(layer: Layer) -> Prepared:
    """Several, one after the other; they are numbered."""
    lists = [layer.integers(key) for key in ("n_aggregators", "n_filters", "n_propagate")]
    if len({len(numbers) for numbers in lists}) != 1 or layer.integer("n_sublayers", len(lists[0])) != len(lists[0]):
        raise Refusal("its lists of aggregators, filters and propagated features differ in length")
    if min(map(min, lists)) < 1:
        raise Refusal("its sizes must be above zero")
    return _collapsing(layer, [(str(k), *sizes) for k, sizes in enumerate(zip(*lists, strict=True))])


def _whole(site: Site, layer: Layer, aggregators: int, filters: int, propagate: int) -> Tensor:
    """caloGraphNN's: means and maxima, weights beside features, tanh."""
    x = site.tensor
    width = plain(x)[-1]
    features = _affine(layer, "FLR", width, propagate).at(site.step("FLR"), x)
    distance = _affine(layer, "S", width, aggregators).at(site.step("S"), x)
    weights = graphs.potential(site.step("potential"), distance, Vertices())
    gathered = graphs.garnet(site.step("gathered"), x, features, weights)
    n_in = width + 2 * aggregators * (propagate + aggregators) + aggregators
    return function(site, _affine(layer, "Fout", n_in, filters).at(site.step("Fout"), gathered), "tanh")


Block = tuple[str, int, int, int]


def _collapsing(layer: Layer, blocks: Sequence[Block]) -> Prepared:
    """hls4ml's simplified layers, and what becomes of all vertices at the end."""
    if not layer.flag("simplified", False):
        raise Refusal("'simplified' = False gives a layer whose weights do not fit what it computes; simplified=True is read")
    if layer.value("quantize_transforms"):
        raise Refusal("'quantize_transforms' hides its types in sub-layers; give types in the config")
    if layer.value("output_activation", default="linear") != "linear":
        raise Refusal("'output_activation' must be None or linear; put an Activation layer behind it")
    form, collapse, by_count = layer.value("input_format"), layer.value("collapse"), layer.flag("mean_by_nvert", False)
    if form not in _INPUTS:
        raise Refusal(f"'input_format' = {form!r:.40} is not one of {', '.join(_INPUTS)}")
    if collapse is not None and collapse not in _COLLAPSE:
        raise Refusal(f"'collapse' = {collapse!r:.40} is not one of {', '.join(_COLLAPSE)}")
    if by_count and (form == "x" or collapse == "mean"):
        raise Refusal("'mean_by_nvert' with collapse='mean' or input_format='x' means no mean over an event's own vertices")

    def lower(site: Site) -> Tensor:
        x, vertices = _unpacked(site, form, by_count=by_count)
        for k, block in enumerate(blocks):
            last = k == len(blocks) - 1 and collapse is None
            x = _simplified(site if last else site.step(f"layer{block[0]}"), layer, block, x, vertices)
        return x if collapse is None else reductions.reduce(site, x, _COLLAPSE[collapse], [0])

    return lower


def _unpacked(site: Site, form: str, *, by_count: bool) -> tuple[Tensor, Vertices]:
    """The features of the vertices, and which there are."""
    if len(site.tensors) != _INPUTS[form]:
        raise Refusal(f"called with {len(site.tensors)} values, and input_format='{form}' has {_INPUTS[form]}")
    x = site.tensors[0]
    if form == "x":
        return x, Vertices(_nonzero(site.step("present"), x))
    if form == "xen":
        energy = shape.reshape(site.step("energy"), site.tensors[1], (plain(x)[0], 1))
        x = shape.concatenate(site.step("data"), [x, energy], 1)
    counted = Vertices.counted(site, site.tensors[-1], plain(x)[0])
    return x, counted if by_count else Vertices(counted.mask)


def _nonzero(site: value.Site, x: Tensor) -> Tensor:
    """1 for vertices whose fourth feature is not zero."""
    if plain(x)[-1] < 4:
        raise Refusal("input_format='x' looks at the fourth feature for vertices that are there, and there is none")
    fourth = shape.move(site.step("fourth"), lambda index: index[:, 3:4], x)
    return function(site, function(site.step("sign"), fourth, "sign"), "abs")


def _simplified(site: value.Site, layer: Layer, block: Block, x: Tensor, vertices: Vertices) -> Tensor:
    number, aggregators, filters, propagate = block
    width = plain(x)[-1]
    features = _affine(layer, f"FLR{number}", width, propagate).at(site.step("FLR"), x)
    distance = _affine(layer, f"S{number}", width, aggregators).at(site.step("S"), x)
    weights = graphs.potential(site.step("potential"), distance, vertices)
    gathered = graphs.garnet_simplified(site.step("gathered"), features, weights, vertices)
    out = _affine(layer, f"Fout{number}", aggregators * propagate, filters)
    return vertices.masked(site, out.at(site.step("Fout"), gathered)) if vertices.mask is not None else out.at(site, gathered)


def global_exchange(layer: Layer) -> Prepared:
    """Beside the features of every vertex their means over all."""

    def lower(site: Site) -> Tensor:
        x = site.tensor
        mean = reductions.reduce(site.step("mean"), x, Reduction.MEAN, [0], keepdims=True)
        return shape.concatenate(site, [x, expand(site.step("everywhere"), mean, plain(x))], len(plain(x)) - 1)

    return lower


def sampling(layer: Layer) -> Prepared:
    """A latent value at random: its mean, the first operand, as a decision wants it."""

    def lower(site: Site) -> Tensor:
        if len(site.tensors) != 2 or site.tensors[0].shape != site.tensors[1].shape:
            raise Refusal(
                "it is read as the sampling of a variational autoencoder, called with mean and logarithm of the variance"
            )
        site.builder.dropped(site.names.base(layer), site.tensors[0].node, fate=Fate.MEAN)
        return site.tensors[0]

    return lower


def divergence(layer: Layer) -> Prepared:
    """hls4ml's KLLoss: half the mean of m^2 + exp(v) - v - 1."""

    def lower(site: Site) -> Tensor:
        if len(site.tensors) != 2 or site.tensors[0].shape != site.tensors[1].shape:
            raise Refusal("it is called with mean and logarithm of the variance, which have one shape")
        mean, log_variance = site.tensors
        return reductions.divergence(site, mean, log_variance, Reduction.MEAN)

    return lower


LAYERS: dict[str, Entry] = {
    "GarNet": garnet,
    "GarNetStack": garnet_stack,
    "GlobalExchange": global_exchange,
    "GravNet": gravnet,
    "KLLoss": divergence,
    "Sampling": sampling,
}
WEIGHTED = ("GarNet", "GarNetStack", "GravNet")


def own_groups(groups: Sequence[str], key: str) -> list[str]:
    """The folders of a file that hold the sub-layers of a layer, in the order of its weights; of a list by their number."""
    inside = [name for name in groups if name.startswith(f"{key}/")]
    named = {name: FOLDERS.get(name.removeprefix(f"{key}/").lstrip("_")) for name in inside}
    if all(place is not None for place in named.values()):
        return sorted(inside, key=lambda name: named[name] or 0)
    return sorted(inside, key=lambda name: (len(name), name))  # dense, dense_1 .. of a list of sub-layers
