"""The command line among hostile names, closed and narrow streams, and programs that fail in their own ways."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from nn2hls.cli import main
from nn2hls.config.read import read_config
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError, Nn2hlsError, ToolError
from nn2hls.graph.builder import Builder
from nn2hls.hardware.words import names_top
from nn2hls.ops import Input, Relu
from nn2hls.targets import find_part
from nn2hls.text import one_line, printable, table
from nn2hls.tools import gxx
from tests.kit.networks import mlp

NN2HLS = [sys.executable, "-m", "nn2hls"]
HOSTILE = "\x1b[31mred\x00\x07\n\u202efc"


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_net("fc_é")
    return tmp_path


def write_net(name):
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name=name), helper.make_node("Relu", ["h"], ["y"], name=f"{name}_r")]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", k]) for n, k in (("x", 4), ("y", 3))]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
    np.save("x.npy", np.random.default_rng(1).normal(size=(20, 4)))


# ---- names -----------------------------------------------------------------------------------------------------------------


def test_what_moves_a_terminals_cursor_is_shown_as_an_escape():
    assert printable("a\x1b[1mb\x00\n\u202ec\u00e9\t") == "a\\x1b[1mb\\x00\n\\u202ec\u00e9    "
    assert one_line("a\nb\r") == "a\\nb\\r"
    assert printable("\ud800") == "\\ud800"
    assert table(["name"], [[HOSTILE]]).count("\n") == 2


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "net.onnx", "-o", "out"],
        ["estimate", "net.onnx"],
        ["compare", "net.onnx", "--input", "x.npy"],
        ["config", "net.onnx"],
        ["config", "net.onnx", "--explain"],
        ["emulate", "net.onnx", "--input", "x.npy"],
        ["plan", "net.onnx"],
        ["convert", "net.onnx", "--part", HOSTILE],
        ["config", "net.onnx", "--explain", HOSTILE],
    ],
)
def test_control_characters_of_names_never_reach_the_terminal(net, capsys, words):
    write_net(HOSTILE)
    main(words)
    out, err = capsys.readouterr()
    assert out or err
    bad = {c for c in out + err if not c.isprintable() and c != "\n"}
    assert not bad
    assert "\nred" not in out + err


def test_errors_hold_no_control_characters():
    error = Nn2hlsError(f"No '{HOSTILE}'.", where=HOSTILE, fix=HOSTILE)
    assert {c for c in str(error) if not c.isprintable()} <= {"\n"}
    assert "\n" not in error.where


# ---- streams ---------------------------------------------------------------------------------------------------------------


def shell(line, **environment):
    command = line.replace("nn2hls", " ".join(NN2HLS), 1)
    run = subprocess.run(command, shell=True, capture_output=True, env={**os.environ, **environment}, check=False)
    return run.returncode, run.stdout.decode("utf-8", "replace"), run.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(net, closed):
    code, out, err = shell(f"nn2hls convert net.onnx -o out {closed}")
    assert (code, "Traceback" in out + err) == (0, False)
    assert Path("out/nn2hls.json").is_file()
    json.loads(Path("out/nn2hls.json").read_text())  # nothing was printed into a file that took the number of a stream


def test_a_terminal_that_knows_ascii_only(net):
    code, out, err = shell("nn2hls convert net.onnx -o out", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (code, "Traceback" in err) == (0, False)
    assert "fc_\\xe9" in out


def test_a_reader_that_went_away_and_a_full_disk(net):
    code, _, err = shell("nn2hls config net.onnx | true; exit ${PIPESTATUS[0]:-0}")
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    if os.path.exists("/dev/full"):
        code, _, err = shell("nn2hls estimate net.onnx > /dev/full")
        assert (code, err) == (1, "nn2hls estimate: standard output: No space left on device.\n")


def test_an_interrupt_ends_with_130(net, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nn2hls.commands.convert.make_design", interrupted)
    assert main(["convert", "net.onnx"]) == 130
    assert capsys.readouterr().err == "nn2hls convert: interrupted\n"


def test_the_signal_itself_ends_with_130(net):
    Path("slow_gxx").write_text(f"#!/bin/sh\ntouch {net}/started\nexec sleep 60\n")
    Path("slow_gxx").chmod(0o755)
    run = subprocess.Popen(
        [*NN2HLS, "verify", "net.onnx"], env={**os.environ, "CXX": str(net / "slow_gxx")}, stderr=subprocess.PIPE
    )
    while not Path("started").exists() and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate()
    assert (run.returncode, err) == (130, b"nn2hls verify: interrupted\n")


# ---- compilers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("printf '\\377\\376 wrong\\n' >&2; exit 1", r"refuses the generated C\+\+:\n.*wrong"),
        ("kill -9 $$", r"cc ended with exit status -9 \(SIGKILL\), most likely since the memory ran out\. Set a higher"),
        ("echo 'fatal error: Killed signal terminated program cc1plus' >&2; exit 1", r"the memory ran out\.\n.*Killed signal"),
        ("exit 4", r"cc ended with 4 and said nothing\."),
    ],
)
@pytest.mark.parametrize("command", ["verify", "build"])
def test_compilers_that_fail(net, capsys, monkeypatch, command, script, said):
    Path("cc").write_text(f"#!/bin/sh\n{script}\n")
    Path("cc").chmod(0o755)
    monkeypatch.setenv("CXX", str(net / "cc"))
    assert main([command, "net.onnx"]) == 1
    err = capsys.readouterr().err
    assert re.search(said, err), err
    assert "Traceback" not in err


def mapped():
    return sum("/design-" in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="this system does not show its mappings")
def test_a_library_is_unmapped_with_its_design():
    graph = mlp(np.random.default_rng(0), (3, 2))
    before = mapped()
    for _ in range(3):
        design = convert(graph)
        assert design.verify().equal
        assert mapped() > before
        again = design.csim(np.ones((4, 3)))  # as long as the design is there it serves
        assert again.shape == (4, 2)
        del design
        gc.collect()
    assert mapped() == before


# ---- settings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["out", "out0", "EOF", "NULL", "BUFSIZ", "M_PI", "size_t", "main", "FILE", "EINVAL", "layer3_out", "abs", "Small"]
)
def test_names_that_do_not_compile_are_refused(name):
    with pytest.raises(ConfigError, match="cannot name a C\\+\\+ function"):
        read_config({"ProjectName": name, "HLSConfig": {}})


def test_no_macro_of_the_headers_names_a_project():
    headers = set()
    for backend, part in (("Vitis", "xcvu13p"), ("Bambu", "xc7vx690tffg1930-3")):
        b = Builder()
        graph = b.build([b.add("r", Relu(), [b.add("x", Input((2,)))])])
        for path, text in convert(graph, {"Backend": backend, "Part": part}).project.files.items():
            headers |= set(re.findall(r"#include (<\w+>)", text)) if path.endswith((".h", ".cpp")) else set()
    assert {"<cmath>", "<cstdio>", "<vector>"} <= headers
    source = "".join(f"#include {h}\n" for h in sorted(headers))
    for standard in ("gnu++14", "c++14"):
        command = [gxx.find_compiler(), f"-std={standard}", "-dM", "-E", "-x", "c++", "-"]
        run = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
        macros = set(re.findall(r"#define (\w+)", run.stdout))
        names = {m for m in macros if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", m) and "__" not in m}
        assert len(names) > 50
        assert not {m for m in names if names_top(m)}


@pytest.mark.parametrize(
    "name", ["fail", "Events", "run", "words", "tagger", "EOS", "ECAL", "INT8_NET", "fabs", "printf", "count"]
)
def test_other_names_compile(tmp_path, name):
    graph = mlp(np.random.default_rng(0), (2, 2))
    design = convert(graph, {"ProjectName": name, "HLSConfig": {"Model": {}}})
    assert design.verify().equal
    assert design.build("csim", tmp_path / "p").ok


@pytest.mark.parametrize("tail", ["-2-iaaaa", "-2-i-", "-2-e2", "-2i2"])
def test_parts_with_a_wrong_tail_are_refused(tail):
    with pytest.raises(ConfigError, match="is not known"):
        find_part(f"xcku115-flvb2104{tail}")


RIGHT = "xcku115-flvb2104-2-i xcvu13p-flga2577-2-e-es1 xcvc1902-vsva2197-2mp-e-s xcvu9p-flgb2104-2-e"


@pytest.mark.parametrize("part", RIGHT.split())
def test_parts_with_a_right_tail_are_taken(part):
    assert part.startswith(find_part(part).name)


def test_an_output_that_is_a_circle_of_links(net, capsys):
    Path("a.yml").symlink_to("b.yml")
    Path("b.yml").symlink_to("a.yml")
    Path("d").symlink_to("e")
    Path("e").symlink_to("d")
    for words in (["config", "net.onnx", "-o", "a.yml"], ["convert", "net.onnx", "-o", "d"], ["build", "net.onnx", "-o", "d"]):
        assert main(words) == 1
        assert "symbolic links" in capsys.readouterr().err


def test_a_compiler_error_names_the_project():
    run = subprocess.CompletedProcess(["cc"], 1, "", "no")
    assert isinstance(gxx.refusal("/bin/cc", run, "net"), ToolError)
    assert str(gxx.refusal("/bin/cc", run, "net")).startswith("net: cc refuses")
