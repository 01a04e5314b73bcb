"""Layers of the field by their registered name and config: equal to the user's own classes, whose code is never run."""

import json

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.frontends import load
from nn2hls.graph.reference import run_float

keras = pytest.importorskip("keras")
kit = pytest.importorskip("tests.kit.graph_layers")

MODELS = {
    "gravnet": kit.gravnet,
    "garnet": kit.garnet,
    "garnet, mean": lambda: kit.garnet(collapse="mean"),
    "garnet, max of energies": lambda: kit.garnet(input_format="xen", collapse="max"),
    "garnet, sum by number": lambda: kit.garnet(collapse="sum", mean_by_nvert=True),
    "garnet, whole": kit.garnet_whole,
}


def drawn(model, events=20, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        found.append(rng.integers(1, 6, (events, 1)).astype(float) if shape == (1,) else rng.normal(size=(events, *shape)))
    return found


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    keras.utils.set_random_seed(1)
    made = MODELS[request.param]()
    for variable in made.variables:  # biases that are not zero
        variable.assign(variable + 0.1 * np.random.default_rng(2).normal(size=variable.shape))
    return made


def test_the_float_reference_is_the_layer(model, tmp_path):
    """From memory, a .keras file and an .h5 file alike."""
    x = drawn(model)
    wanted = keras.ops.convert_to_numpy(model([a.astype(np.float32) for a in x] if len(x) > 1 else x[0].astype(np.float32)))
    for name in ("m.keras", "m.h5", ""):
        if name:
            model.save(tmp_path / name)
        design = convert(str(tmp_path / name) if name else model, {}, calibration=x)
        np.testing.assert_allclose(design.predict_float(x), wanted, rtol=2e-5, atol=2e-6)


def test_neighbours_are_those_of_float_where_distances_differ_by_more_than_a_step():
    """32 vertices, k = 4: the places that the fixed design takes against those of the float reference."""
    keras.utils.set_random_seed(3)
    made = kit.gravnet(32, 4)
    (x,) = drawn(made, 40)
    fine = {"TargetSQNR": 100, "MaxWidth": 30}  # coordinates and distances; the rest keeps 60 dB
    names = {"LayerName": {"grav": fine, "exchange": fine}, "Model": {"Precision": {"input": "ap_fixed<24,4>"}}}
    design = convert(made, names, calibration=x)
    (places,) = [n.name for n in design.graph if n.name.endswith("nearest_places")]
    squared = next(n for n in design.graph if n.name == "grav_gathered_squared")
    floats = run_float(design.float_graph, [x.astype(np.float64)], [places, squared.name])
    fixed = {}

    def take(name, start, part):
        fixed.setdefault(name, []).append(np.asarray(part, dtype=float) * design.graph[name].result_type.step)

    design.emulator.run([x.astype(np.float64)], take, [places], raw=False)
    found, wanted = np.concatenate(fixed[places]), floats[places]
    step = squared.result_type.step
    gaps = np.diff(np.sort(floats[squared.name], axis=-1)[..., : wanted.shape[-1] + 1], axis=-1)
    clear = (gaps > step).all(axis=-1)
    assert clear.mean() > 0.9
    assert (found[clear] == wanted[clear]).all()


def test_sampling_takes_the_mean_and_says_so():
    design = convert(kit.encoder(), {})
    x = np.random.default_rng(0).normal(size=(5, 6))
    z, _ = design.predict_float(x)
    assert (z == design.trace_float(x)["z_mean"]).all()
    assert any(note.startswith("z: it samples at random") for note in design.notes)


def test_divergence_is_the_layer():
    model = kit.encoder()
    x = np.random.default_rng(0).normal(size=(5, 6))
    wanted = keras.ops.convert_to_numpy(model(x.astype(np.float32))[1])
    np.testing.assert_allclose(convert(model, {}).predict_float(x)[1], wanted, rtol=2e-5)


REFUSED = [
    (lambda: kit.gravnet(4, 5), "it has 5 neighbours"),
    (lambda: kit.garnet(discretize=3), "its option 'discretize' = 3"),
    (lambda: kit.garnet(simplified=False), "'simplified' = False"),
    (lambda: kit.garnet(output_activation="tanh"), "Activation layer behind it"),
    (lambda: kit.garnet(quantize_transforms=True), "give types in the config"),
    (lambda: kit.garnet(collapse="mean", mean_by_nvert=True), "'mean_by_nvert'"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_is_not_read_is_named(make, words):
    with pytest.raises(UnsupportedError) as error:
        load(make())
    assert words in str(error.value)
    assert "ga" in str(error.value) or "grav" in str(error.value)


def test_a_config_that_does_not_match_the_weights_is_named(tmp_path):
    model = kit.garnet()
    model.get_layer("gar").options["n_propagate"] = 3
    with pytest.raises(ModelError, match=r"gar.*FLR.*\(3, 3\)"):
        load(model)


def test_layers_of_ones_own_under_other_names_stay_refused():
    class Mine(kit.GarNet):
        pass

    x = keras.Input((5, 3))
    with pytest.raises(UnsupportedError, match="a class of your own"):
        load(keras.Model(x, Mine(3, 4, 2)(x)))


def test_a_stack_of_a_legacy_file(tmp_path):
    """Keras 2 writes nothing but the class name, and weights called by the sub-layers: FLR0_kernel."""
    rng = np.random.default_rng(4)
    sizes = [(3, 2, 4, 5), (5, 3, 2, 3)]  # features in, propagated, aggregators, filters
    arrays = {}
    for k, (n_in, f, s, out) in enumerate(sizes):
        for part, shape in (("FLR", (n_in, f)), ("S", (n_in, s)), ("Fout", (f * s, out))):
            arrays |= {f"{part}{k}_kernel": rng.normal(size=shape) / 2, f"{part}{k}_bias": rng.normal(size=shape[1]) / 4}
    options = {
        **kit.SIMPLIFIED,
        "n_propagate": [2, 3],
        "n_aggregators": [4, 2],
        "n_filters": [5, 3],
        "n_sublayers": 2,
        "collapse": "mean",
        "input_format": "xn",
    }
    path = _legacy(tmp_path, options, arrays)
    x, n = rng.normal(size=(10, 4, 3)), rng.integers(1, 5, (10, 1)).astype(float)
    mask = (np.arange(4)[None] < n).astype(float)[..., None]
    y = x
    for k in range(2):
        features, space = (y @ arrays[f"{p}{k}_kernel"] + arrays[f"{p}{k}_bias"] for p in ("FLR", "S"))
        weight = mask * np.exp(-(space**2))
        mean = np.einsum("bvs,bvf->bsf", weight, features) / 4
        back = np.einsum("bvs,bsf->bvsf", weight, mean).reshape(10, 4, -1)
        y = mask * (back @ arrays[f"Fout{k}_kernel"] + arrays[f"Fout{k}_bias"])
    np.testing.assert_allclose(convert(str(path), {}).predict_float([x, n]), y.mean(axis=1), rtol=1e-6)


def _legacy(folder, options, arrays):
    import h5py

    def layer(kind, name, config, *calls):
        inbound = [[[c, 0, 0, {}] for c in calls]] if calls else []
        return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": inbound}

    inputs = [
        layer("InputLayer", n, {"batch_input_shape": [None, *s], "dtype": "float32"}) for n, s in (("x", (4, 3)), ("n", (1,)))
    ]
    stack = layer("GarNetStack", "gar", {"trainable": True, "dtype": "float32", **options}, "x", "n")
    config = {
        "name": "model",
        "layers": [*inputs, stack],
        "input_layers": [["x", 0, 0], ["n", 0, 0]],
        "output_layers": [["gar", 0, 0]],
    }
    path = folder / "stack.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["keras_version"] = "2.4.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"x", b"n", b"gar"])
        for name in ("x", "n", "gar"):
            own = group.create_group(name)
            words = [f"gar/{w}:0" for w in arrays] if name == "gar" else []
            own.attrs["weight_names"] = np.array([w.encode() for w in words], dtype="S32")
            for word, array in zip(words, arrays.values(), strict=False):
                own.create_dataset(word, data=array)
    return path
