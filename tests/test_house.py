"""The house rules: arrows between modules, light imports, file sizes, commands that exist, no traces of a machine."""

import ast
import functools
import os
import re
import subprocess
import sys
import zipfile

import pytest
import yaml

from tests.kit.paths import ROOT

CORE = {"numpy", "yaml", "jinja2", "nn2hls"}  # what may be imported when a module is loaded, beside the standard library
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnx", "onnxscript", "h5py"}  # converters only, and inside functions

# From the bottom up: a module imports from rooms of earlier rows, or from its own room.
ROWS = (
    ("text", "_version", "files", "extras", "known_layers"),
    ("errors", "markup"),
    ("guard",),
    ("arith",),
    ("figures",),
    ("hardware",),
    ("graph",),
    ("targets",),
    ("tools",),
    ("config", "data", "history"),
    ("ops",),
    ("passes",),
    ("streams",),
    ("emulate", "estimate", "emit"),
    ("size", "compare"),
    ("converters",),
    ("frontends",),
    ("design",),
    ("trials", "board"),
    ("scan", "search", "report", "export"),
    ("commands",),
    ("cli",),
    ("__main__",),
    ("",),  # nn2hls/__init__.py
)
# What rooms other than converters may import from nn2hls.ops.
OPEN = {"Op", "Strategy", "Input", "Constant", "rolled", "reloadable"}
ROW = {room: k for k, row in enumerate(ROWS) for room in row}


def git_files(*patterns):
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


@functools.cache
def modules():
    """(dotted name without `nn2hls.`, syntax tree) of every module of the compiler."""
    found = []
    for folder, prefix in (("nn2hls", ""), ("converters", "converters.")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = prefix + ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
            found.append((name.removesuffix("__init__").rstrip("."), ast.parse(path.read_text(encoding="utf-8"))))
    return tuple(found)


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


def room(dotted):
    """The first word of a module's name."""
    return dotted.split(".")[0]


def arrows():
    """(module, module that it imports) of the compiler's own, lazy imports and those for types counted."""
    known = dict(modules())
    for name, tree in known.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                targets = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                targets = [f"{node.module}.{a.name}" for a in node.names]
            else:
                continue
            for target in targets:
                head, _, rest = target.partition(".")
                if head == "nn2hls":
                    found = rest if rest in known else rest.rpartition(".")[0]
                    if found != name:
                        yield name, found


def test_every_module_stands_in_a_known_room():
    assert [name for name, _ in modules() if room(name) not in ROW] == []


def test_arrows_point_to_earlier_rows():
    wrong = [f"{a} imports {b}" for a, b in arrows() if room(a) != room(b) and ROW[room(b)] >= ROW[room(a)]]
    assert not wrong, "\n".join(wrong)


def test_front_ends_meet_in_what_a_layer_means():
    """converters.lower knows no front end, and no front end knows another one."""
    own = {f"converters.{name}" for name in ("keras", "pytorch", "onnx", "lower")}
    met = set()
    for a, b in arrows():
        one, other = (".".join(name.split(".")[:2]) for name in (a, b))
        if one in own and other in own and one != other:
            met.add((one, other))
    assert met == {(name, "converters.lower") for name in own - {"converters.lower"}}


def test_what_an_op_is_stands_in_its_own_file():
    """Others ask the op for a fact; of the classes they know Op itself and the leaves, which are in nn2hls.graph."""
    found = {
        f"{name}: {alias.name}"
        for name, tree in modules()
        if room(name) not in ("ops", "converters")
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if f"{getattr(node, 'module', '')}.{alias.name}.".lstrip(".").startswith("nn2hls.ops.") and alias.name not in OPEN
    }
    assert not found


# What opens a file or reads a format that can be hostile; who may call it, and why. All others ask the guard.
OPENERS = {
    *("open", "fdopen", "read_text", "read_bytes", "genfromtxt", "loadtxt", "fromfile", "memmap"),
    *("np.load", "json.load", "json.loads", "pickle.load", "pickle.loads", "torch.load", "onnx.load", "ZipFile", "connect"),
    *("ElementTree.parse", "ElementTree.fromstring", "ElementTree.iterparse", "h5py.File", "SafeLoader", "safe_load", "CDLL"),
}
ALLOWED = {
    "guard": {"open", "ZipFile", "json.loads", "ElementTree.fromstring"},
    "files": {"open", "fdopen", "read_text"},  # what is written, and the package's own text
    "cli": {"open", "fdopen"},  # the null device in place of a closed stream
    "extras": {"read_text", "json.loads"},  # what pip says of nn2hls itself
    "converters.apart": {"open", "json.loads"},  # what the child says; its memory
    "converters.keras.h5": {"h5py.File"},  # of bytes that the guard has read
    "converters.keras.live": {"json.loads"},  # of its own json.dumps
    "design.about": {"json.loads"},  # of its own manifest
    "design.reload": {"json.loads"},  # of its own project
    "search.study": {"json.loads"},  # of its own keys
    "compare.lines": {"safe_load"},  # of a layer's name
    "search.run": {"safe_load"},  # of its own YAML
    "tools.writer": {"open", "fdopen"},  # a lock, which nobody reads
    "tools.gxx": {"CDLL"},  # what was just compiled, here and below
    "tools.amd.kernel": {"CDLL"},
    **{
        f"targets.{name}": {"safe_load"} for name in ("part", "family", "board", "amd_board")
    },  # the package's own text, here and below
    **{f"estimate.{name}": {"safe_load"} for name in ("verilog", "result", "bambu", "placed")},
}


GUARDS = {"_GUARD", "FILES", "PRINTED"}  # what a Guard of a module is called


def openers(tree):
    """What a module calls of OPENERS, but for the guard's own, and for files that are only written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            *owner, last = name.split(".")
            mode = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
            written = any(isinstance(m, str) and m.startswith(("w", "a", "x", "r+")) for m in mode)
            guarded = owner and (owner[-1] in GUARDS or owner == ["archive"])
            if not guarded and not (last == "open" and written):
                yield from {last, ".".join(name.split(".")[-2:])} & OPENERS


def test_every_file_is_opened_by_the_guard():
    found = {name: set(openers(tree)) - ALLOWED.get(name, set()) for name, tree in modules()}
    assert {name: calls for name, calls in found.items() if calls} == {}
    known = dict(modules())
    unused = {name: calls - set(openers(known[name])) for name, calls in ALLOWED.items()}
    assert {name: calls for name, calls in unused.items() if calls} == {}


@pytest.mark.parametrize("line", ["open(p)", "p.open('rb')", "p.read_text()", "json.load(f)", "numpy.load(p)", "os.open(p, 0)"])
def test_a_file_opened_by_hand_is_seen(line):
    assert set(openers(ast.parse(line.replace("numpy", "np"))))
    assert not set(openers(ast.parse("_GUARD.open(p)\np.open('a')\nfiles.open_new(p)")))


def reached(start, targets):
    """All that a module imports, and what that imports, and so on."""
    found, todo = set(), [start]
    while todo:
        new = targets.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def test_no_files_import_each_other_round_about():
    targets = {}
    for a, b in arrows():
        targets.setdefault(a, set()).add(b)
    reach = {name: reached(name, targets) for name in targets}
    circles = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in targets if a in reach[a]}
    assert [sorted(circle) for circle in circles] == []


def test_only_the_core_is_imported_when_a_module_loads():
    foreign = {
        f"{name}: {target}"
        for name, tree in modules()
        for target in imports(tree, loaded_only=True)
        if target.split(".")[0] not in CORE | sys.stdlib_module_names
    }
    assert not foreign


def test_what_tests_share_stands_in_their_kit():
    """No file imports a test: pytest would run it under another name, and who changes it would break the other."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        named = imports(ast.parse(path.read_text(encoding="utf-8")))
        found += [f"{path.relative_to(ROOT)}: {n}" for n in named if n.startswith("tests.") and ".test_" in n]
    assert found == []


def test_frameworks_are_imported_in_converters_only():
    found = {
        f"{name}: {target}"
        for name, tree in modules()
        for target in imports(tree)
        if target.split(".")[0] in FRAMEWORKS and room(name) != "converters"
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


@pytest.mark.parametrize("script", [".ci/run", "examples/demo.sh", "examples/board.sh"])
def test_scripts_stop_at_the_first_error(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", path], check=True)


def test_the_readme_names_commands_that_exist():
    from nn2hls.commands import COMMANDS

    text = "".join(f.read_text(encoding="utf-8") for f in git_files("README.md", "examples/*.sh", "docs/*.md"))
    named = set(re.findall(r"(?:^ {4}|\$ |`)nn2hls ([a-z]+)\b", text, re.M)) | set(re.findall(r"^step ([a-z]+)", text, re.M))
    assert len(named) >= 7
    assert named <= {command.name for command in COMMANDS} | {"help"}


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
