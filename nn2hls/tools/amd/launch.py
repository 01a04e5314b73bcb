"""How AMD's programs are started on a written project: by its Tcl script, or from 2024.2 on by its config file."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nn2hls.errors import ToolError
from nn2hls.tools.find import find, version

HLS_STEPS = ("csim", "synth", "cosim", "export")  # of the HLS tools; vsynth is Vivado's
TCL = "build_prj.tcl"
CONFIG = "hls_config.cfg"
TITLES = {"vitis": "Vitis HLS", "vivado": "Vivado HLS"}


@dataclass(frozen=True)
class Job:
    """One start of a program, in the project's folder.

    Args:
        steps: What it does.
        program: Its name on the PATH.
        words: Its arguments.
        log: What it prints, seen from the project's folder; empty: reports/<tool>.log.
        environment: Variables beside those of this process.
        notes: Whether it notes by itself what each step was run on, as the project's Tcl does.
    """

    steps: tuple[str, ...]
    program: str
    words: tuple[str, ...]
    log: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: bool = True

    @property
    def shown(self) -> str:
        """As a user types it in the project's folder."""
        variables = (f"{k}={shlex.quote(v)}" for k, v in self.environment.items())
        return " ".join([*variables, shlex.join([self.program, *self.words])])


@dataclass(frozen=True)
class Launcher:
    """A way to run the steps.

    Args:
        programs: All of them must be on the PATH; the first says its version.
        jobs: What to start for these steps of the project of this name, in order.
        since: The first release whose programs it is for; empty: all.
    """

    programs: tuple[str, ...]
    jobs: Callable[[Sequence[str], str], tuple[Job, ...]]
    since: str = ""

    @property
    def text(self) -> str:
        """Its programs, for people."""
        return " with ".join(self.programs)

    @property
    def is_here(self) -> bool:
        """Whether all its programs are on the PATH."""
        return all(map(shutil.which, self.programs))

    def shown(self, steps: Sequence[str], name: str) -> str:
        """What a user types in the project's folder."""
        return " && ".join(job.shown for job in self.jobs(steps, name))


def _script(program: str, words: tuple[str, ...], *, passes: bool = True) -> Callable[[Sequence[str], str], tuple[Job, ...]]:
    """Jobs of the Tcl script; a program that passes no further words to it gives the switches in NN2HLS_STEPS."""

    def jobs(steps: Sequence[str], name: str) -> tuple[Job, ...]:
        switches = " ".join(f"{s}={int(s in steps)}" for s in HLS_STEPS)
        own, environment = ((*words, switches), {}) if passes else (words, {"NN2HLS_STEPS": switches})
        return (Job(tuple(steps), program, own, environment=environment),)

    return jobs


# What does a step with a config file.
_CONFIGURED = {
    "csim": ("vitis-run", "--mode", "hls", "--csim"),
    "synth": ("v++", "-c", "--mode", "hls"),
    "cosim": ("vitis-run", "--mode", "hls", "--cosim"),
    "export": ("vitis-run", "--mode", "hls", "--package"),
}


def _configured(steps: Sequence[str], name: str) -> tuple[Job, ...]:
    """A job for each step, which all share one working folder."""
    place = ("--config", CONFIG, "--work_dir", f"{name}_prj")
    own = {step: _CONFIGURED[step] for step in HLS_STEPS if step in steps}
    return tuple(Job((s,), w[0], (*w[1:], *place), f"reports/vitis_{s}.log", notes=False) for s, w in own.items())


LAUNCHERS: Mapping[str, tuple[Launcher, ...]] = {
    "vitis": (
        Launcher(("v++", "vitis-run"), _configured, "2024.2"),
        Launcher(("vitis_hls",), _script("vitis_hls", ("-f", TCL))),  # up to 2024.1
        Launcher(("vitis-run",), _script("vitis-run", ("--mode", "hls", "--tcl", TCL), passes=False)),
    ),
    "vivado": (Launcher(("vivado_hls",), _script("vivado_hls", ("-f", TCL))),),
}


def chosen(tool: str) -> Launcher | None:
    """The way to run a tool's steps here: of several the newest release, of one release the first; None: there is none.

    Raises:
        ToolError: A program does not say its version, or is too old for the only way there is.
    """
    here = [x for x in LAUNCHERS[tool] if x.is_here]
    if len(here) == 1 and not here[0].since:
        return here[0]  # nothing to choose, so that no slow program is asked for its version
    releases = {x.programs[0]: version(find(x.programs[0])) for x in here}
    fit = [x for x in here if age(releases[x.programs[0]]) >= age(x.since)]
    if here and not fit:
        first = here[0]
        raise ToolError(
            f"{first.programs[0]} here is {releases[first.programs[0]]}; its config files are used from {first.since} on.",
            fix=f"Put {TITLES[tool]} of that release ({LAUNCHERS[tool][1].text}) on the PATH: source its settings64.sh.",
        )
    return max(fit, key=lambda x: age(releases[x.programs[0]]), default=None)


def age(release: str) -> tuple[int, ...]:
    """A release as numbers that compare."""
    return tuple(int(n) for n in release.split(".") if n)


def by_hand(tool: str, steps: Sequence[str], name: str) -> list[str]:
    """What to type where the programs are: the lines of each way."""
    first, *others = (x for x in LAUNCHERS[tool])
    return [first.shown(steps, name), *(f"or, with {x.text}: {x.shown(steps, name)}" for x in others)]
