"""The jet tagger in examples/jet_tagging: its data, its files, and the configs that run it."""

import json
import sys

import numpy as np
import pytest

import nn2hls
from nn2hls.ops import Dense
from tests.kit.paths import ROOT

HERE = ROOT / "examples" / "jet_tagging"
ENDINGS = (".keras", ".h5", ".onnx", ".pt2")
BOARD = ROOT / "example-configs" / "jet_tagger_board.yml"  # gives away accuracy for size
HGQ = ROOT / "example-configs" / "jet_tagger_board_hgq.yml"
CONFIGS = sorted(p for p in (ROOT / "example-configs").glob("jet_tagger*.yml") if p != BOARD)


@pytest.fixture(scope="module")
def example():
    """The example's modules, imported as its scripts import each other."""
    sys.path.insert(0, str(HERE))
    try:
        import dataset
        import public

        yield dataset, public
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def test_jets():
    return np.load(HERE / "jets_test.npy", allow_pickle=False), np.load(HERE / "jets_test_labels.npy", allow_pickle=False)


@pytest.mark.parametrize("stem", ["jet_tagger", "jet_tagger_pruned"])
def test_the_four_files_are_one_graph(stem):
    texts = {ending: nn2hls.load(HERE / f"{stem}{ending}").text(names=False) for ending in ENDINGS}
    assert len(set(texts.values())) == 1
    assert texts[".keras"].count("Dense") == 4


def test_seventy_percent_of_the_weights_are_zero():
    def weights(name):
        dense = [n.op for n in nn2hls.load(HERE / name) if isinstance(n.op, Dense)]
        return np.concatenate([op.weight.array.ravel() for op in dense])

    pruned, original = weights("jet_tagger_pruned.h5"), weights("jet_tagger.h5")
    assert len(pruned) == len(original) == 4256
    assert np.count_nonzero(pruned == 0) == round(0.7 * 4256)
    assert np.all(original != 0)


@pytest.mark.parametrize(("stem", "step"), [("jet_tagger", "test set, float"), ("jet_tagger_pruned", "test set, pruned")])
def test_the_recorded_accuracy_is_that_of_the_files(stem, step, test_jets):
    x, y = test_jets
    (record,) = [r for r in json.loads((HERE / "pruning.json").read_text(encoding="utf-8")) if r["step"] == step]
    design = nn2hls.convert(HERE / f"{stem}.keras")
    right = design.predict_float(x).argmax(axis=1) == y
    assert abs(right.mean() - record["accuracy"]) <= 2 / len(y)  # a tie may fall the other way in float32
    for number, (name, accuracy) in enumerate(record["accuracy_per_class"].items()):
        mine = right[y == number]
        assert abs(mine.mean() - accuracy) <= 2 / len(mine), name


def test_pruning_with_retraining_costs_no_class_two_percent():
    first, *_, last = (
        r for r in json.loads((HERE / "pruning.json").read_text(encoding="utf-8")) if not r["step"].startswith("test")
    )
    assert (first["zeros"], last["zeros"]) == (0, 0.7)
    for name, before in first["accuracy_per_class"].items():
        assert last["accuracy_per_class"][name] > before - 0.02


def test_the_tagger_of_hgq2_answers_as_hgq2():
    jets, labels, answers = (np.load(HERE / f"hgq_{name}.npy", allow_pickle=False) for name in ("jets", "labels", "answers"))
    design = nn2hls.convert(None, ROOT / "example-configs" / "hgq_tagger.yml")
    assert np.array_equal(design.predict(jets), answers)
    assert np.array_equal(design.predict_float(jets), answers)
    assert np.mean(answers.argmax(axis=1) == labels) > 0.65
    found = design.estimate()
    assert (found.ii, found.dsp) == (1, 0)
    assert found.latency_cycles <= 4


def test_simulation_is_seeded_and_extends(example):
    dataset, _ = example
    x, y = dataset.simulate(2500, 7)
    again, labels = dataset.simulate(2000, 7)
    other, _ = dataset.simulate(2000, 8)
    assert np.array_equal(x[:2000], again)
    assert np.array_equal(y[:2000], labels)
    assert not np.array_equal(again, other)
    assert np.isfinite(x).all()
    assert np.bincount(y).tolist() == [500] * 5


def test_features_mean_what_their_names_say(example):
    dataset, _ = example
    x, y = dataset.simulate(4000, 1)
    by_name = dict(zip(dataset.FEATURES, x.T, strict=True))
    peak = {name: np.median(by_name["mass_mmdt"][y == i]) for i, name in enumerate(dataset.CLASSES)}
    assert abs(peak["w"] - 80.4) < 6
    assert abs(peak["z"] - 91.2) < 6
    assert abs(peak["t"] - 172.6) < 15
    assert np.median(by_name["multiplicity"][y == 0]) > np.median(by_name["multiplicity"][y == 1]) + 5  # gluons radiate more
    ratio = by_name["c2_b1_mmdt"] / by_name["c1_b1_mmdt"]
    assert np.allclose(by_name["d2_b1_mmdt"], ratio)
    assert np.all(by_name["n2_b1_mmdt"] >= 0)
    assert np.all(by_name["zlogz"] <= 0)


@pytest.mark.parametrize("kind", [".arff", ".csv", ".npy"])
def test_the_public_data_set_is_read_by_name(example, tmp_path, kind):
    dataset, public = example
    x, y = dataset.simulate(20, 3)
    names, path, labels = dataset.FEATURES[::-1], tmp_path / f"jets{kind}", None
    rows = "".join(",".join([*map(repr, map(float, r[::-1])), dataset.CLASSES[k]]) + "\n" for r, k in zip(x, y, strict=True))
    if kind == ".arff":
        head = "% comment\n@RELATION jets\n" + "".join(f"@ATTRIBUTE {n} REAL\n" for n in names)
        path.write_text(head + "@ATTRIBUTE class {g,q,t,w,z}\n\n@DATA\n" + rows, encoding="utf-8")
    elif kind == ".csv":
        path.write_text(",".join([*names, "class"]) + "\n" + rows, encoding="utf-8")
    else:
        labels = tmp_path / "labels.npy"
        np.save(path, x)
        np.save(labels, np.eye(5)[y])
    got_x, got_y = public.load_public(path, labels)
    assert np.array_equal(got_x, x)
    assert np.array_equal(got_y, y)


def test_a_file_that_is_not_the_data_set_is_refused(example, tmp_path):
    _, public = example
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="no column zlogz"):
        public.load_public(tmp_path / "x.csv")
    with pytest.raises(SystemExit, match="42468"):
        public.load_public(tmp_path / "none.arff")


@pytest.mark.parametrize(("path", "board"), [(BOARD, "ice40-hx8k"), (HGQ, "icebreaker")], ids=["searched", "HGQ2"])
def test_the_taggers_of_the_boards_are_small_and_right(path, board, test_jets):
    x, y = test_jets
    design = nn2hls.convert(None, path)
    assert design.compare(x, y).outputs[0].accuracy_fixed >= 0.73
    size = design.on_board(board).estimate()
    assert (size.fits, size.ii) == (True, 1)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_example_config_runs(path, test_jets):
    x, y = test_jets
    design = nn2hls.convert(None, path)
    found = design.compare(x, y).outputs[0]
    assert found.agreement > 0.99
    assert found.accuracy_fixed > found.accuracy_float - 0.005
    reuse, bambu = design.config.model_level.settings["reuse"].value, design.config.backend == "Bambu"
    ii = design.estimate().ii
    assert (
        ii > reuse if bambu and reuse > 1 else ii == reuse
    )  # Bambu runs the layers of a design with reuse one after the other
    files = {"Bambu": "build_bambu.sh", "Verilog": f"rtl/{design.project.name}.v"}
    assert design.project.files[files.get(design.config.backend, "build_prj.tcl")]
