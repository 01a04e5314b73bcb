"""Reading .pt2 files: what they hold, that PyTorch stays away, and that nothing in them runs."""

import io
import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from nn2hls.converters.pytorch import load_file
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.ops import Dense, Input
from tests.kit.onnx_tools import evaluate
from tests.kit.torch_zoo import jet_tagger


@pytest.fixture(scope="session")
def tagger(tmp_path_factory):
    """The jet tagger and its file, exported with a fixed batch."""
    path = tmp_path_factory.mktemp("pt2") / "tagger.pt2"
    model = jet_tagger()
    torch.export.save(torch.export.export(model, (torch.zeros(2, 16),)), path)
    return model, path


@pytest.fixture(scope="session")
def symbolic(tmp_path_factory):
    path = tmp_path_factory.mktemp("pt2") / "symbolic.pt2"
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(jet_tagger(), (torch.zeros(2, 16),), dynamic_shapes=dynamic), path)
    return path


def repack(source, target, change):
    """A copy of an archive; ``change`` gets the entries without the root folder and alters them."""
    with zipfile.ZipFile(source) as archive:
        entries = {n: archive.read(n) for n in archive.namelist()}
    root = next(n for n in entries if n.endswith("/archive_format"))[: -len("archive_format")]
    entries = {n.removeprefix(root): data for n, data in entries.items()}
    change(entries)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name if name.startswith("/") else root + name, data)
    return target


def edit(entries, name, change):
    value = json.loads(entries[name])
    change(value)
    entries[name] = json.dumps(value).encode()


GRAPH, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"


def test_file_answers_like_the_module(tagger):
    model, path = tagger
    x = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32) * 2
    with torch.no_grad():
        wanted = model.double()(torch.from_numpy(x).double()).numpy()
    model.float()
    (got,) = evaluate(load_file(path), {"input": x})
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)


def test_names_and_origins(tagger):
    graph = load_file(tagger[1])
    assert [n.name for n in graph] == ["input", "fc1", "bn1", "relu1", "fc2", "softmax"]
    assert [n.origin.kind for n in graph] == ["Input", "Linear", "BatchNorm1d", "ReLU", "Linear", "Softmax"]
    assert all(n.origin.layer == n.name and n.origin.is_result for n in graph)


def test_symbolic_batch_gives_the_same_graph(tagger, symbolic):
    assert b"Symbol(" in zipfile.ZipFile(symbolic).read("symbolic/models/model.json")
    assert load_file(symbolic).text() == load_file(tagger[1]).text()


def test_torch_is_not_imported(tagger):
    code = (
        "import sys; from nn2hls.converters.pytorch import load_file; print(load_file(sys.argv[1]).outputs); "
        "assert 'torch' not in sys.modules and 'pickle' not in sys.modules.get('nn2hls.converters.pytorch.pt2_file').__dict__"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tagger[1])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "('softmax',)\n"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_element_types(tmp_path, dtype):
    module = nn.Linear(5, 3).to(dtype)
    torch.export.save(torch.export.export(module, (torch.zeros(2, 5, dtype=dtype),)), tmp_path / "m.pt2")
    op = load_file(tmp_path / "m.pt2").nodes[-1].op
    np.testing.assert_array_equal(op.weight.array, module.weight.detach().double().numpy().T)
    np.testing.assert_array_equal(op.bias.array, module.bias.detach().double().numpy())


def test_weights_that_share_and_stride_through_one_storage(tmp_path):
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            base = torch.arange(60.0)
            self.register_buffer("base", base)
            self.register_buffer("a", base[3:23].view(4, 5))
            self.register_buffer("b", base.view(10, 6)[::3, 1:6].t())

        def forward(self, x):
            return nn.functional.linear(x, self.a) + nn.functional.linear(x, self.b.t()) + self.base[0]

    module = Views()
    torch.export.save(torch.export.export(module, (torch.zeros(2, 5),)), tmp_path / "m.pt2")
    x = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    (got,) = evaluate(load_file(tmp_path / "m.pt2"), {"x": x})
    np.testing.assert_allclose(got, module(torch.from_numpy(x)).numpy(), rtol=1e-5)


def test_big_endian_weights(tagger, tmp_path):
    def swap(entries):
        entries["byteorder"] = b"big"
        for name in entries:
            if name.startswith("data/weights/weight_"):
                wide = "f8" if len(entries[name]) == 8 and name.endswith("_6") else "f4"
                entries[name] = np.frombuffer(entries[name], f"<{wide}").astype(f">{wide}").tobytes()

    assert load_file(repack(tagger[1], tmp_path / "big.pt2", swap)).text() == load_file(tagger[1]).text()


class Bomb:
    """Its pickle writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickles_and_expressions_in_a_file_do_not_run(symbolic, tmp_path):
    flag = tmp_path / "written"
    bomb = pickle.dumps(Bomb(flag))
    text = f"__import__('pathlib').Path({str(flag)!r}).write_text('x')"
    pickle.loads(bomb).close()
    assert flag.exists()
    flag.unlink()
    eval(text)
    assert flag.exists()
    flag.unlink()

    def plant(entries):
        entries["data/sample_inputs/model.pt"] = bomb
        entries["extra/more.pkl"] = bomb
        expression = b'"expr_str": "Symbol('
        assert expression in entries[GRAPH]
        start = entries[GRAPH].index(expression) + len(b'"expr_str": ')
        old = entries[GRAPH][start : entries[GRAPH].index(b'"', start + 1) + 1]
        entries[GRAPH] = entries[GRAPH].replace(old, json.dumps(text).encode())
        edit(entries, GRAPH, lambda m: m["guards_code"].append(text))

    graph = load_file(repack(symbolic, tmp_path / "planted.pt2", plant))
    assert graph.text() == load_file(symbolic).text()
    assert not flag.exists()


def test_pickled_weight_is_refused(tagger, tmp_path):
    flag = tmp_path / "written"

    def plant(entries):
        entries["data/weights/weight_0"] = pickle.dumps(Bomb(flag))
        edit(entries, WEIGHTS, lambda c: c["config"]["fc1.weight"].update(use_pickle=True))

    with pytest.raises(ModelError, match=r"fc1\.weight.*pickle.*torch\.export\.save"):
        load_file(repack(tagger[1], tmp_path / "m.pt2", plant))
    assert not flag.exists()


def test_pickled_constant_is_refused(tagger, tmp_path):
    def plant(entries):
        meta = json.loads(entries[WEIGHTS])["config"]["fc1.bias"]
        config = {"config": {"obj": {**meta, "path_name": "custom_obj_0", "use_pickle": True}}}
        entries["data/constants/model_constants_config.json"] = json.dumps(config).encode()
        entries["data/constants/custom_obj_0"] = pickle.dumps(Bomb(tmp_path / "written"))

    with pytest.raises(ModelError, match=r"obj.*pickle"):
        load_file(repack(tagger[1], tmp_path / "m.pt2", plant))
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("what", ["module", "state_dict"])
def test_pickled_files_are_refused_with_the_way_out(tmp_path, legacy, what):
    model = nn.Linear(4, 2)
    path = tmp_path / "model.pt"
    saved = model if what == "module" else model.state_dict()
    torch.save(saved, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match=r"pickle.*torch\.export\.save\(torch\.export\.export\(model\.eval\(\)"):
        load_file(path)


def test_public_pickled_model_is_refused(shared):
    with pytest.raises(ModelError, match=r"pickle.*torch\.export\.save"):
        load_file(shared / "models/pytorch/two_layer_model.pt")


def _set(name, value):
    return lambda entries: entries.__setitem__(name, value)


def _json(name, change):
    return lambda entries: edit(entries, name, change)


def _meta(key, value):
    return _json(WEIGHTS, lambda c: c["config"]["fc1.weight"]["tensor_meta"].update({key: value}))


def _sized(value, *sizes):
    listed = [{"as_int": n} for n in sizes]
    return _json(GRAPH, lambda m: m["graph_module"]["graph"]["tensor_values"][value].update(sizes=listed))


DAMAGED = {
    "archive version": (_set("archive_version", b"1"), "archive_version is '1'"),
    "archive format": (_set("archive_format", b"pt3"), "archive_format is 'pt3'"),
    "schema version": (_json(GRAPH, lambda m: m["schema_version"].update(major=9)), "schema version 9"),
    "byte order": (_set("byteorder", b"middle"), "byte order"),
    "no graph": (lambda e: e.pop(GRAPH), "0 programs"),
    "two graphs": (lambda e: e.update({"models/other.json": e[GRAPH]}), "2 programs"),
    "no weight": (lambda e: e.pop("data/weights/weight_0"), "weight_0' is missing"),
    "short weight": (lambda e: e.update({"data/weights/weight_0": e["data/weights/weight_0"][:-4]}), "does not fit"),
    "not JSON": (_set(GRAPH, b"{"), "JSON is damaged"),
    "deep JSON": (_set(GRAPH, b"[" * 100000), "nests more than 200 deep"),
    "other JSON": (_set(GRAPH, b"[]"), "not laid out"),
    "node without target": (_json(GRAPH, lambda m: m["graph_module"]["graph"]["nodes"][0].pop("target")), "not laid out"),
    "result of another shape": (_sized("relu", 2, 9), "by the file"),
    "result of another batch": (_sized("relu", 6, 8), "by the file"),
    "outside offset": (_meta("storage_offset", {"as_int": 1}), "does not fit"),
    "negative offset": (_meta("storage_offset", {"as_int": -4}), "does not fit"),
    "huge size": (_meta("sizes", [{"as_int": 1 << 40}, {"as_int": 16}]), "does not fit"),
    "repeated storage": (_json(WEIGHTS, lambda c: c["config"]["fc1.weight"]["tensor_meta"].update(
        sizes=[{"as_int": 1 << 30}, {"as_int": 16}], strides=[{"as_int": 0}, {"as_int": 0}])), "does not fit"),
    "symbolic size": (_meta("sizes", [{"as_expr": {"expr_str": "s0"}}, {"as_int": 16}]), "malformed"),
    "complex": (_meta("dtype", 10), "element type"),
    "other shape": (_meta("sizes", [{"as_int": 16}, {"as_int": 8}]), "does not fit"),
    "path": (_json(WEIGHTS, lambda c: c["config"]["fc1.weight"].update(path_name="../constants/x")), "stored under the name"),
    "entry outside": (_set("../../outside", b""), "points outside"),
    "absolute entry": (_set("/etc/passwd", b""), "points outside"),
    "windows entry": (_set("a\\b", b""), "points outside"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_and_strange_files(tagger, tmp_path, name):
    change, reason = DAMAGED[name]
    with pytest.raises(ModelError, match=reason):
        load_file(repack(tagger[1], tmp_path / "m.pt2", change))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(tagger, tmp_path, value):
    def spoil(entries):
        weights = np.frombuffer(entries["data/weights/weight_0"], np.float32).copy()
        weights[5] = value
        entries["data/weights/weight_0"] = weights.tobytes()

    with pytest.raises(ModelError, match=r"fc1\.weight: 1 of its 128 values"):
        load_file(repack(tagger[1], tmp_path / "m.pt2", spoil))


def test_every_truncation_is_a_model_error(tagger, tmp_path):
    data = tagger[1].read_bytes()
    for size in [0, 1, 3, 10, *range(100, len(data), len(data) // 40)]:
        (tmp_path / "cut.pt2").write_bytes(data[:size])
        with pytest.raises(ModelError):
            load_file(tmp_path / "cut.pt2")


def test_flipped_bytes_never_escape_as_another_error(tagger, tmp_path):
    data = bytearray(tagger[1].read_bytes())
    rng = np.random.default_rng(5)
    for _ in range(150):
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << rng.integers(8)
        (tmp_path / "flip.pt2").write_bytes(broken)
        try:
            load_file(tmp_path / "flip.pt2")
        except ModelError:
            continue


def test_compressed_and_lying_sizes_are_refused(tagger, tmp_path):
    with zipfile.ZipFile(tagger[1]) as source, zipfile.ZipFile(tmp_path / "z.pt2", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(ModelError, match="compressed"):
        load_file(tmp_path / "z.pt2")


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"none\.pt2"):
        load_file(tmp_path / "none.pt2")


def save(tmp_path, module, *examples, **options):
    torch.export.save(torch.export.export(module.eval(), examples, **options), tmp_path / "m.pt2")
    return tmp_path / "m.pt2"


def test_input_without_batch_axis_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no batch axis"):
        load_file(save(tmp_path, nn.Linear(8, 4), torch.zeros(8)))


def test_symbolic_size_besides_the_batch_is_refused(tmp_path):
    dynamic = ({1: torch.export.Dim("length", min=2, max=50)},)
    with pytest.raises(ModelError, match="symbolic size besides the batch"):
        load_file(save(tmp_path, nn.ReLU(), torch.zeros(3, 8), dynamic_shapes=dynamic))


def test_inputs_are_numbers(tmp_path):
    """Whole ones too, as an Embedding takes them."""
    graph = load_file(save(tmp_path, nn.Embedding(4, 3), torch.zeros(3, 2, dtype=torch.int64)))
    assert graph.inputs[0].shape == (2,)
    with pytest.raises(ModelError, match="input: The input holds bool"):
        load_file(save(tmp_path, nn.Identity(), torch.zeros(3, 2, dtype=torch.bool)))


class Several(nn.Module):
    def forward(self, x, pair):
        return {"sum": x + pair[0], "same": x, "scaled": [pair[1]["k"] * 2, None]}


def test_several_inputs_and_outputs(tmp_path):
    graph = load_file(save(tmp_path, Several(), torch.zeros(2, 8), (torch.zeros(2, 8), {"k": torch.zeros(2, 3)})))
    assert [(n.name, n.shape) for n in graph if isinstance(n.op, Input)] == [("x", (8,)), ("pair_0", (8,)), ("pair_1_k", (3,))]
    assert graph.outputs == ("add", "x", "mul")


def test_inputs_with_different_batches_are_refused(tmp_path):
    class Two(nn.Module):
        def forward(self, x, y):
            return x + 1, y * 2

    with pytest.raises(ModelError, match="differ in their first axis"):
        load_file(save(tmp_path, Two(), torch.zeros(2, 3), torch.zeros(4, 3)))


def test_shared_module_has_one_layer_and_two_nodes(tmp_path):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x):
            return self.fc(torch.relu(self.fc(x)))

    graph = load_file(save(tmp_path, Shared(), torch.zeros(2, 8)))
    assert [(n.name, n.origin.layer) for n in graph][1:] == [("fc", "fc"), ("relu", "relu"), ("fc_2", "fc")]
    one, two = (n.op for n in graph if isinstance(n.op, Dense))
    assert one.weight.digest == two.weight.digest


def test_graph_that_mutates_a_buffer_is_refused(tmp_path):
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros(8))

        def forward(self, x):
            self.n.add_(1)
            return x + self.n

    program = torch.export.export(Counter(), (torch.zeros(2, 8),))
    for form in (program, program.run_decompositions()):
        stream = io.BytesIO()
        torch.export.save(form, stream)
        (tmp_path / "m.pt2").write_bytes(stream.getvalue())
        with pytest.raises((UnsupportedError, ModelError), match="state"):
            load_file(tmp_path / "m.pt2")
