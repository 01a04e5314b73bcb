"""A project's folder explains, checks and makes itself."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper, save

import nn2hls
from nn2hls.cli import main
from nn2hls.config.read import read_config
from nn2hls.design.design import convert
from nn2hls.errors import ProjectWarning
from nn2hls.tools.folder import written_sources
from tests.kit.networks import hls_config, mlp
from tests.kit.tools import require_tool


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", k]) for n, k in (("x", 4), ("y", 3))]
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
    np.save("cal.npy", np.random.default_rng(1).normal(size=(50, 4)))
    return tmp_path


@pytest.mark.parametrize("backend", ["Vivado", "Vitis", "Bambu"])
def test_make_csim_works_with_a_compiler_alone(net, backend):
    require_tool("make", shutil.which("make"))
    folder = convert("net.onnx", {"Backend": backend, "Part": "xc7vx690tffg1930-3", "OutputDir": "out"}).write()
    moved = Path(shutil.move(folder, net / "elsewhere"))
    run = subprocess.run(["make", "--no-print-directory", "csim"], cwd=moved, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("100 events, 0 differ from the emulator\n")
    answers = moved / "tb_data" / "tb_output_predictions.dat"
    answers.write_text(answers.read_text().rsplit("\n", 2)[0] + "\n")
    assert subprocess.run(["make", "--no-print-directory", "csim"], cwd=moved, capture_output=True, check=False).returncode
    assert subprocess.run(["make", "clean"], cwd=moved, capture_output=True, check=False).returncode == 0
    assert not (moved / "csim" / "test_bench").exists()


@pytest.mark.parametrize("backend", ["Vivado", "Vitis"])
def test_the_stand_ins_are_never_on_the_path_of_the_vendors_tools(net, backend):
    folder = convert("net.onnx", {"Backend": backend}).write("out")
    assert {p.parent.relative_to(folder).as_posix() for p in folder.rglob("ap_int.h")} == {"csim/ap_types"}
    scripts = "".join(p.read_text() for p in folder.glob("*.tcl"))
    assert "csim/" not in scripts
    assert set(re.findall(r"-I[^ \"]*", scripts)) == {"-I."}
    sources = [p for p in folder.rglob("*") if p.suffix in (".h", ".cpp") and "csim" not in p.parts]
    assert not [p for p in sources if "csim/" in p.read_text()]


def test_the_config_in_the_folder_writes_the_same_project(net, capsys):
    words = ["--part", "xcku115-flvb2104-2-i", "--clock", "4", "--precision", "ap_fixed<14,5>", "--calibration", "cal.npy"]
    assert main(["convert", "net.onnx", *words, "-o", "deep/er/out"]) == 0
    config = Path("deep/er/out/config.yml")
    read = read_config(config)
    assert (read.part, read.clock_period, read.output_dir) == ("xcku115-flvb2104-2-i", 4.0, Path("deep/er/out"))
    assert read.model.resolve() == (net / "net.onnx").resolve()
    digest = written_sources(config.parent)
    before = config.read_text()
    assert main(["convert", str(config)]) == 0
    assert written_sources(config.parent) == digest
    assert config.read_text() == before
    assert sys.getdefaultencoding() == "utf-8"
    capsys.readouterr()


def test_the_config_leads_to_the_model_also_where_the_folder_is_a_link(net):
    Path("disk/far/away").mkdir(parents=True)
    Path("link").symlink_to("disk/far/away")
    convert(None, {"OnnxModel": "net.onnx", "OutputDir": "link"}).write()
    for config in ("link/config.yml", "disk/far/away/config.yml"):
        assert read_config(config).model.resolve() == (net / "net.onnx").resolve()
        assert read_config(config).output_dir == Path("link")


def test_the_manifest_names_version_digest_and_origins(net):
    design = convert("net.onnx", {"HLSConfig": {"Model": {"Calibration": "cal.npy"}}, "OnnxModel": "net.onnx"})
    folder = design.write("out")
    found = json.loads((folder / "nn2hls.json").read_text())
    assert (found["version"], found["digest"]) == (nn2hls.__version__, design.project.digest)
    for name, path in (("model", "net.onnx"), ("calibration", "cal.npy")):
        assert (folder / found["origins"][name]["path"]).resolve() == Path(path).resolve()
        assert found["origins"][name]["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert set(found["origins"]) == {"model", "calibration"}


def test_what_tells_of_the_sources_is_no_part_of_their_digest(tmp_path):
    design = convert(mlp(np.random.default_rng(0), (4, 3)), hls_config())
    one, two = design.write(tmp_path / "a"), design.write(tmp_path / "b")
    assert written_sources(one) == written_sources(two) == (design.project.digest, True)
    (one / "README.md").write_text("mine")
    assert written_sources(one) == (design.project.digest, True)
    assert "The model was no file" in (one / "config.yml").read_text()
    yaml.safe_load((one / "config.yml").read_text())


def test_files_of_the_user_come_before_those_that_only_tell(tmp_path):
    design = convert(mlp(np.random.default_rng(0), (4, 3)), hls_config())
    folder = design.project.write(tmp_path / "p")  # as an nn2hls wrote it that had no README
    (folder / "README.md").write_text("my notes")
    (folder / "csim").write_text("a file of mine")
    with pytest.warns(
        ProjectWarning, match=r"not of nn2hls, and stays in place of the project's own: README.md, csim/ap"
    ) as told:
        design.write(folder)
    assert len(told) == 1
    assert (folder / "README.md").read_text() == "my notes"
    assert (folder / "csim").read_text() == "a file of mine"
    assert (folder / "Makefile").is_file()
    assert written_sources(folder) == (design.project.digest, True)


def test_the_readme_is_short_and_names_what_is_there(tmp_path):
    folder = convert(mlp(np.random.default_rng(0), (4, 3)), hls_config()).write(tmp_path / "p")
    text = (folder / "README.md").read_text()
    assert len(text.splitlines()) <= 10
    for name in ("nn2hls.json", "config.yml", "firmware/myproject.h", "firmware/layers/", "firmware/defines.h", "tb_data/"):
        assert f"`{name}`" in text
        assert (folder / name).exists()


def test_output_dir_starts_at_the_home_folder(net, monkeypatch):
    monkeypatch.setenv("HOME", str(net / "home"))
    Path("net.yml").write_text("OnnxModel: net.onnx\nOutputDir: ~/x\n")
    folder = convert(None, "net.yml").write()
    assert folder == net / "home" / "x"
    assert (folder / "build_prj.tcl").is_file()
    assert convert("net.onnx").write("~/y") == net / "home" / "y"
    assert not (net / "~").exists()
