"""One module per command; importing them loads nothing heavy."""

from nn2hls.commands import (
    build,
    compare,
    config,
    convert,
    doctor,
    emulate,
    estimate,
    export,
    history,
    layers,
    passes,
    plan,
    plot,
    replay,
    report,
    scan,
    search,
    verify,
)
from nn2hls.commands.base import Command

COMMANDS: tuple[Command, ...] = (
    config.COMMAND,
    convert.COMMAND,
    emulate.COMMAND,
    compare.COMMAND,
    estimate.COMMAND,
    plan.COMMAND,
    build.COMMAND,
    verify.COMMAND,
    export.COMMAND,
    report.COMMAND,
    plot.COMMAND,
    scan.COMMAND,
    search.COMMAND,
    history.COMMAND,
    replay.COMMAND,
    layers.COMMAND,
    passes.COMMAND,
    doctor.COMMAND,
)
