"""GravNet, GarNet and the sampling of a VAE as Keras layers of one's own.

A model file holds their names and options, no code; nn2hls knows them by these. The options are those of hls4ml's GarNet and of
caloGraphNN's GravNet.
"""

from __future__ import annotations

import keras
from keras import ops


class GravNet(keras.layers.Layer):
    """Neighbours in a learned space: the features of the nearest, times exp(-10 d^2), the largest and the mean of them."""

    def __init__(self, n_neighbours, n_dimensions, n_filters, n_propagate, **kwargs):
        super().__init__(**kwargs)
        self.n_neighbours, self.n_dimensions, self.n_filters, self.n_propagate = sizes = (
            n_neighbours,
            n_dimensions,
            n_filters,
            n_propagate,
        )
        self.input_feature_transform = keras.layers.Dense(sizes[3], name="FLR")
        self.input_spatial_transform = keras.layers.Dense(sizes[1], name="S")
        self.output_feature_transform = keras.layers.Dense(sizes[2], name="Fout")

    def call(self, x):
        """(events, vertices, features) to (events, vertices, filters)."""
        features, space = self.input_feature_transform(x), self.input_spatial_transform(x)
        away = ops.sum(ops.square(ops.expand_dims(space, 2) - ops.expand_dims(space, 1)), axis=-1)
        near = ops.argsort(away, axis=-1)[:, :, 1 : self.n_neighbours]
        weight = ops.exp(-10 * ops.take_along_axis(away, near, axis=-1))
        rows = ops.broadcast_to(ops.expand_dims(features, 1), (ops.shape(x)[0], x.shape[1], x.shape[1], self.n_propagate))
        picked = ops.broadcast_to(ops.expand_dims(near, -1), (*ops.shape(near), self.n_propagate))
        weighted = ops.take_along_axis(rows, picked, axis=2) * ops.expand_dims(weight, -1)
        both = [x, ops.max(weighted, axis=2), ops.mean(weighted, axis=2)]
        return ops.tanh(self.output_feature_transform(ops.concatenate(both, axis=-1)))

    def get_config(self):
        """The options."""
        sizes = ("n_neighbours", "n_dimensions", "n_filters", "n_propagate")
        more = {"also_coordinates": False, "feature_dropout": -1}
        return {**super().get_config(), **{name: getattr(self, name) for name in sizes}, **more}


class GarNet(keras.layers.Layer):
    """Aggregators at learned distances, simplified; a vertex whose fourth feature is zero is not there."""

    def __init__(self, n_aggregators, n_filters, n_propagate, collapse=None, **kwargs):
        super().__init__(**kwargs)
        self.n_aggregators, self.n_filters, self.n_propagate, self.collapse = n_aggregators, n_filters, n_propagate, collapse
        self.input_feature_transform = keras.layers.Dense(n_propagate, name="FLR")
        self.aggregator_distance = keras.layers.Dense(n_aggregators, name="S")
        self.output_feature_transform = keras.layers.Dense(n_filters, name="Fout")

    def call(self, x):
        """(events, vertices, features) to (events, vertices, filters), or (events, filters) collapsed."""
        mask = ops.cast(ops.not_equal(x[..., 3:4], 0), x.dtype)
        features, weight = self.input_feature_transform(x), mask * ops.exp(-ops.square(self.aggregator_distance(x)))
        mean = ops.matmul(ops.transpose(weight, (0, 2, 1)), features) / x.shape[1]
        back = ops.expand_dims(weight, -1) * ops.expand_dims(mean, 1)
        flat = ops.reshape(back, (-1, x.shape[1], self.n_aggregators * self.n_propagate))
        found = mask * self.output_feature_transform(flat)
        collapse = {"mean": ops.mean, "sum": ops.sum, "max": ops.max}.get(self.collapse)
        return found if collapse is None else collapse(found, axis=1)

    def get_config(self):
        """The options, those of hls4ml's layer that are fixed here included."""
        sizes = ("n_aggregators", "n_filters", "n_propagate", "collapse")
        fixed = {"simplified": True, "input_format": "x", "output_activation": None}
        more = {"mean_by_nvert": False, "quantize_transforms": None}
        return {**super().get_config(), **{name: getattr(self, name) for name in sizes}, **fixed, **more}


class Sampling(keras.layers.Layer):
    """A latent value drawn around its mean."""

    def call(self, inputs):
        """Mean and logarithm of the variance."""
        mean, log_variance = inputs
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))
