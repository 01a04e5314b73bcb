"""Layers of the field as a user has them, classes of his own: what a model file holds of them is their name and config.

The mathematics is written from the papers and the layers' public descriptions, in keras.ops, and stands beside that of the
converter: the two must agree.
"""

import keras
from keras import ops


class _Sub(keras.layers.Layer):
    """A layer with three Dense layers inside: what is handed on, the space, the output."""

    SPACE = "aggregator_distance"

    def __init__(self, options, sizes, **kwargs):
        super().__init__(**kwargs)
        self.options = options
        names = ("input_feature_transform", self.SPACE, "output_feature_transform")
        for name, units in zip(names, sizes, strict=True):
            setattr(self, name, keras.layers.Dense(units, name=f"{self.name}_{name}"))

    def get_config(self):
        return {**super().get_config(), **self.options}

    @classmethod
    def from_config(cls, config):
        raise AssertionError("the code of a layer is run")


class GravNet(_Sub):
    SPACE = "input_spatial_transform"

    def __init__(self, n_neighbours, n_dimensions, n_filters, n_propagate, **kwargs):
        sizes = (n_propagate, n_dimensions, n_filters)
        options = {"n_neighbours": n_neighbours, "n_dimensions": n_dimensions, "n_filters": n_filters}
        more = {"n_propagate": n_propagate, "also_coordinates": False, "feature_dropout": -1}
        super().__init__({**options, **more}, sizes, **kwargs)

    def call(self, x):
        features, space = self.input_feature_transform(x), self.input_spatial_transform(x)
        away = ops.sum(ops.square(ops.expand_dims(space, 2) - ops.expand_dims(space, 1)), axis=-1)
        found = ops.argsort(away, axis=-1)[:, :, 1 : self.options["n_neighbours"]]
        weight = ops.exp(-10 * ops.take_along_axis(away, found, axis=-1))
        rows = ops.take_along_axis(ops.expand_dims(features, 1), ops.expand_dims(found, -1), axis=2)
        weighted = rows * ops.expand_dims(weight, -1)
        both = [x, ops.max(weighted, axis=2), ops.mean(weighted, axis=2)]
        return ops.tanh(self.output_feature_transform(ops.concatenate(both, axis=-1)))


def _given_back(weight, rows):
    found = ops.expand_dims(weight, -1) * ops.expand_dims(rows, 1)
    return ops.reshape(found, (-1, found.shape[1], found.shape[2] * found.shape[3]))


class GarNet(_Sub):
    """hls4ml's with ``simplified``, caloGraphNN's without."""

    def __init__(self, n_aggregators, n_filters, n_propagate, **options):
        kwargs = {k: options.pop(k) for k in ("name",) if k in options}
        sizes = {"n_aggregators": n_aggregators, "n_filters": n_filters, "n_propagate": n_propagate}
        super().__init__({**sizes, **options}, (n_propagate, n_aggregators, n_filters), **kwargs)

    def call(self, inputs):
        if "simplified" not in self.options:
            return self._whole(inputs)
        x, count = inputs[0], inputs[-1]
        if self.options["input_format"] == "xen":
            x = ops.concatenate([x, ops.expand_dims(inputs[1], -1)], axis=-1)
        mask = ops.cast(ops.arange(x.shape[1], dtype="float32")[None] < count, "float32")[..., None]
        features, space = self.input_feature_transform(x), self.aggregator_distance(x)
        weight = mask * ops.exp(-ops.square(space))
        total = ops.matmul(ops.transpose(weight, (0, 2, 1)), features)
        mean = total / (count[..., None] if self.options["mean_by_nvert"] else x.shape[1])
        found = mask * self.output_feature_transform(_given_back(weight, mean))
        collapse = {"mean": ops.mean, "sum": ops.sum, "max": ops.max}.get(self.options["collapse"])
        return found if collapse is None else collapse(found, axis=1)

    def _whole(self, x):
        features, weight = self.input_feature_transform(x), ops.exp(-ops.square(self.aggregator_distance(x)))
        both = ops.concatenate([features, weight], axis=-1)
        sent = ops.expand_dims(ops.transpose(weight, (0, 2, 1)), -1) * ops.expand_dims(both, 1)
        rows = ops.concatenate([ops.max(sent, axis=2), ops.mean(sent, axis=2)], axis=-1)
        found = ops.concatenate([x, _given_back(weight, rows), weight], axis=-1)
        return ops.tanh(self.output_feature_transform(found))


class GlobalExchange(keras.layers.Layer):
    def call(self, x):
        return ops.concatenate([x, ops.broadcast_to(ops.mean(x, axis=1, keepdims=True), ops.shape(x))], axis=-1)


class Sampling(keras.layers.Layer):
    def call(self, inputs):
        mean, log_variance = inputs
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))


class KLLoss(keras.layers.Layer):
    def call(self, inputs):
        mean, log_variance = inputs
        terms = 1 + log_variance - ops.square(mean) - ops.exp(log_variance)
        return -0.5 * ops.mean(terms, axis=-1, keepdims=True)


SIMPLIFIED = {
    "simplified": True,
    "collapse": None,
    "output_activation": None,
    "mean_by_nvert": False,
    "quantize_transforms": None,
}


def gravnet(vertices=6, neighbours=3):
    x = keras.Input((vertices, 4), name="x")
    y = GlobalExchange(name="exchange")(x)
    return keras.Model(x, GravNet(neighbours, 2, 5, 3, name="grav")(y))


def garnet(vertices=5, input_format="xn", **options):
    x, n = keras.Input((vertices, 3), name="x"), keras.Input((1,), name="n")
    inputs = [x, *([keras.Input((vertices,), name="e")] if input_format == "xen" else []), n]
    layer = GarNet(4, 3, 2, name="gar", **{**SIMPLIFIED, "input_format": input_format, **options})
    return keras.Model(inputs, layer(inputs))


def garnet_whole(vertices=5):
    x = keras.Input((vertices, 3), name="x")
    return keras.Model(x, GarNet(3, 4, 2, name="gar")(x))


def encoder():
    x = keras.Input((6,), name="x")
    mean, log_variance = keras.layers.Dense(3, name="z_mean")(x), keras.layers.Dense(3, name="z_log_var")(x)
    return keras.Model(x, [Sampling(name="z")([mean, log_variance]), KLLoss(name="kl")([mean, log_variance])])
