"""The house rules: arrows between modules, light imports, file sizes, commands that exist, no traces of a machine."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.kit.paths import ROOT

CORE = {"numpy", "yaml", "jinja2", "nn2hls"}  # what may be imported when a module is loaded, beside the standard library
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnx", "onnxscript", "h5py"}  # converters only, and inside functions

# From the bottom up: a module imports from its own line or from lines above it. A package stands for all its modules.
LEVELS = (
    ("errors", "text", "cpp_words", "extras", "files", "known_layers"),
    ("guard",),
    ("fixed", "csd", "data", "functions", "parallel"),
    ("ranges", "schedule", "ir", "wide", "project"),
    ("targets",),
    ("tools",),
    ("ops",),
    ("analysis", "inputs", "reference", "vectors"),
    ("passes",),
    ("scores", "judge", "emulate", "estimate", "emit", "compare", "registers", "timing"),
    ("plan", "savings"),
    ("converters", "frontends", "config"),
    ("design",),
    ("scan", "search", "solver", "report"),
    ("commands",),
    ("cli", "__main__"),
    ("",),  # nn2hls/__init__.py
)
# These may import what stands here, and themselves: they know nothing of graphs.
LEAVES = {
    "targets": {"errors", "fixed", "schedule"},
    "tools": {"errors", "files", "fixed", "project", "targets", "text"},
}
# A node of the graph is an Input or a Constant by its op; ir needs no other op and asks for them when it runs.
KNOTS = {("ir", "ops.shape")}


def git_files(*patterns):
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def modules():
    """(dotted name without `nn2hls.`, syntax tree) of every module of the compiler."""
    for folder, prefix in (("nn2hls", ""), ("converters", "converters.")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = prefix + ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
            yield name.removesuffix("__init__").rstrip("."), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree, *, loaded_only=False):
    """Dotted names that a module imports; those under TYPE_CHECKING, or inside functions if `loaded_only`, left out."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield node.module
            # `from nn2hls import ops` names a module, `from nn2hls.graph.graph import Graph` does not; both may be asked for.
            if node.module == "nn2hls":
                yield from (f"nn2hls.{alias.name}" for alias in node.names)
        elif not (loaded_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            todo += list(ast.iter_child_nodes(node))


def part(dotted):
    """The entry of LEVELS for a dotted name: `ops.dense` -> ops, `config_keys` -> config."""
    head = dotted.split(".")[0]
    known = {name for level in LEVELS for name in level}
    return head if head in known else head.split("_")[0]


def level(name):
    found = [i for i, names in enumerate(LEVELS) if name in names]
    assert found, f"nn2hls/{name}.py: place it in LEVELS of {Path(__file__).name}"
    return found[0]


def test_arrows_point_down():
    wrong = []
    for name, tree in modules():
        mine = part(name)
        for target in imports(tree):
            head, _, rest = target.partition(".")
            if head != "nn2hls" or not rest or rest == "__version__":
                continue
            theirs = part(rest)
            upward = level(theirs) > level(mine)
            if (upward or theirs not in LEAVES.get(mine, {theirs}) | {mine}) and (name, rest) not in KNOTS:
                wrong.append(f"{name} imports {rest}")
    assert not wrong, "\n".join(wrong)


def test_only_the_core_is_imported_when_a_module_loads():
    foreign = {
        f"{name}: {target}"
        for name, tree in modules()
        for target in imports(tree, loaded_only=True)
        if target.split(".")[0] not in CORE | sys.stdlib_module_names
    }
    assert not foreign


def test_frameworks_are_imported_in_converters_only():
    found = {
        f"{name}: {target}"
        for name, tree in modules()
        for target in imports(tree)
        if target.split(".")[0] in FRAMEWORKS and part(name) != "converters"
    }
    assert not found


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_import_nn2hls_loads_no_numpy():
    heavy = {"numpy", "yaml", "jinja2", "inspect"} | FRAMEWORKS
    loaded = set(run_python("import sys; old = set(sys.modules); import nn2hls; print(*set(sys.modules) - old)"))
    assert "nn2hls" in loaded
    assert not heavy & loaded


def test_no_file_is_longer_than_500_lines():
    files = git_files("*.py", "*.h", "*.cpp", "*.j2", "*.sh", "*.yml", "*.md")
    lines = {str(f.relative_to(ROOT)): f.read_text(encoding="utf-8").count("\n") for f in files}
    assert len(lines) > 20
    assert not {name: n for name, n in lines.items() if n > 500}


def texts(path):
    """The bytes of a file, and of the members of a zip archive."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def test_no_machine_paths():
    pattern = re.compile(rb"/(?:home|root|work|Users)/[A-Za-z0-9_]+|[A-Z]:\\\\Users")
    found = {f"{f.relative_to(ROOT)}: {m!r}" for f in git_files() for text in texts(f) for m in pattern.findall(text)}
    assert not found


def test_every_example_config_names_files_that_exist():
    configs = sorted((ROOT / "example-configs").glob("*.yml"))
    assert configs
    for path in configs:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        named = [k for k in config if k.endswith(("Model", "Json", "H5", "Data"))]
        assert len(named) >= 2, path.name
        for key in named:
            assert (path.parent / config[key]).is_file(), f"{path.name}: {key}"
        assert config["OutputDir"] == f"nn2hls-projects/{path.stem}"
        assert path.stem.startswith(config["ProjectName"])


def make_targets():
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def test_the_documents_name_make_targets_that_exist():
    named = {
        (f.name, target)
        for f in git_files("*.md", ".ci/run")
        for target in re.findall(r"(?:`|^ *|\$ )make ([a-z]+)\b", f.read_text(encoding="utf-8"), re.M)
    }
    assert {t for _, t in named} >= {"demo", "test"}
    assert not {(f, t) for f, t in named if t not in make_targets()}


def test_make_explains_itself():
    text = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in text for target in make_targets())
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M).group(1).split()
    assert set(phony) == make_targets()


@pytest.mark.parametrize("script", [".ci/run", "examples/demo.sh"])
def test_scripts_stop_at_the_first_error(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", path], check=True)


def test_the_readme_names_commands_that_exist():
    from nn2hls.commands import COMMANDS

    text = "".join(f.read_text(encoding="utf-8") for f in git_files("README.md", "examples/demo.sh", "docs/*.md"))
    named = set(re.findall(r"(?:^ {4}|\$ |`)nn2hls ([a-z]+)\b", text, re.M)) | set(re.findall(r"^step ([a-z]+)", text, re.M))
    assert len(named) >= 7
    assert named <= {command.name for command in COMMANDS}


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert '"my-hls-test"' in code
    exec(compile(code.replace('"my-hls-test"', repr(str(tmp_path / "project"))), "README.md", "exec"), {})
    assert (tmp_path / "project" / "build_prj.tcl").is_file()


def test_links_between_documents_lead_somewhere():
    links = {(f, link) for f in git_files("*.md") for link in re.findall(r"\]\(([^)#:]+)\)", f.read_text(encoding="utf-8"))}
    assert len(links) > 8
    assert [f"{f.name}: {link}" for f, link in links if not (f.parent / link).exists()] == []
