"""What stands in a project's folder beside the sources, so that it explains, checks and makes itself."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nn2hls._version import __version__
from nn2hls.config.config import Config
from nn2hls.config.write import to_dict
from nn2hls.emit.tool import TOOLS
from nn2hls.errors import ConfigError, Nn2hlsError
from nn2hls.files import own_text
from nn2hls.guard import Guard
from nn2hls.tools.folder import MANIFEST, Project, data_folder, render
from nn2hls.tools.gxx import native_flags

if TYPE_CHECKING:
    from nn2hls.emit.options import Options
    from nn2hls.estimate.result import Estimate

CONFIG, STAND_INS = "config.yml", "csim/ap_types"
_GUARD = Guard(ConfigError, "The file")
_ORIGINS = ("model", "weights", "calibration", "input_data", "output_predictions")  # fields of Config that name files


def with_about(project: Project, config: Config, options: Options, folder: Path, estimate: Estimate) -> Project:
    """The project with its README, Makefile, config and stand-ins, and with the origins of all that in its manifest.

    Args:
        project: As it is emitted.
        config: What it was made with.
        options: The same.
        folder: Where it will stand, as the user names it.
        estimate: Of the design.
    """
    expected = {**estimate.synthesised.to_dict(), "latency_cycles": estimate.latency_cycles, "ii": estimate.ii}
    own = _verilog(project.name) if config.backend == "Verilog" else _cpp(project, config.backend)
    made = with_origins(project, dataclasses.replace(config, output_dir=folder), folder, estimate=expected)
    return dataclasses.replace(made, about={**made.about, **own})


def with_origins(project: Project, config: Config, folder: Path, **more: Any) -> Project:
    """The project with its config, and with the version, the digest and the origins of all that in its manifest.

    Args:
        project: With a manifest among what tells of it.
        config: What it was made with.
        folder: Where it will stand, as the user names it.
        more: What else the manifest says.
    """
    real = Path(os.path.realpath(folder))  # `..` leads from there, also where the folder is a link
    made = {"version": __version__, "digest": project.digest, "origins": origins_of(config, real), **more}
    manifest = json.loads(project.about[MANIFEST]) | made
    about = {
        MANIFEST: json.dumps(manifest, indent=1) + "\n",
        CONFIG: _config_text(config, real),
    }
    return dataclasses.replace(project, about={**project.about, **about})


def origins_of(config: Config, folder: Path) -> dict[str, dict[str, Any]]:
    """The files that a config names, by its fields: ``path`` seen from the folder, ``sha256``, None when the file is gone."""
    return {name: _origin(path, folder) for name in _ORIGINS if (path := getattr(config, name)) is not None}


def _verilog(name: str) -> dict[str, str]:
    return {path: render(f"rtl/{path}", name=name, version=__version__) for path in ("README.md", "Makefile")}


def _cpp(project: Project, backend: str) -> dict[str, str]:
    tool = TOOLS[backend]
    build = "sh build_bambu.sh" if backend == "Bambu" else f"{tool.command} -f build_prj.tcl"
    flags = native_flags(project.files[f"{project.name}_bridge.cpp"])
    context = {"name": project.name, "tool": tool, "version": __version__, "build": build, "flags": flags}
    headers = sorted((data_folder("firmware_lib") / "ap_types").glob("*.h"))
    return {
        "README.md": render("README.md", **context),
        "Makefile": render("Makefile", **context),
        **{f"{STAND_INS}/{h.name}": own_text(h) for h in headers},
    }


def _config_text(config: Config, folder: Path) -> str:
    """The config as YAML that stands in ``folder``; paths start there, OutputDir where the user works."""
    lines = ["# Every setting of this project. Paths start at this folder, OutputDir at the current directory."]
    if config.model is None:
        lines.append(
            "# The model was no file: add KerasModel, PytorchModel or OnnxModel, or give it to nn2hls.convert with this."
        )
    data = to_dict(config, folder)
    return "\n".join(lines) + "\n" + yaml.safe_dump(data, sort_keys=False, width=120, allow_unicode=True)


def _origin(path: Path, folder: Path) -> dict[str, Any]:
    """A file's name, seen from the folder, and digest; no digest when it is gone."""
    name = Path(os.path.relpath(path, folder)).as_posix()
    try:
        return {"path": name, "sha256": _GUARD.digest(path)}
    except Nn2hlsError:
        return {"path": name, "sha256": None}
