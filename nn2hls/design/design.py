"""A converted network: its two graphs, and everything that can be asked of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.config.check import bind
from nn2hls.config.config import Config
from nn2hls.config.read import read_config
from nn2hls.data.arrays import Data, check_inputs
from nn2hls.design import projects, witnesses
from nn2hls.design.bench import Events, events_of, integers, mantissas_of, with_corners
from nn2hls.design.check import check_backend, missed
from nn2hls.design.fed import Fed, calibration_of, one_or_list
from nn2hls.design.kept import keep_call
from nn2hls.design.model import load_model, with_path
from nn2hls.design.notes import config_notes, interface_of, model_notes
from nn2hls.design.shown import Shown
from nn2hls.design.trace import Trace
from nn2hls.design.verdict import Verdict
from nn2hls.emulate.emulator import Emulator
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.errors import ConversionWarning, LimitError, OverflowWarning, ToolError
from nn2hls.estimate.result import FIX, beyond_lines, beyond_part, does_not_fit, with_bit_operations
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.reference import run_float
from nn2hls.passes import run_passes
from nn2hls.passes.base import Context, Provenance
from nn2hls.passes.signals import measure
from nn2hls.targets.amd_board import AmdBoard
from nn2hls.targets.board import OnBoard

if TYPE_CHECKING:
    from nn2hls.compare.comparison import Comparison
    from nn2hls.compare.judge import Own
    from nn2hls.emit.options import Options
    from nn2hls.emit.ports import Interface
    from nn2hls.estimate.result import Estimate
    from nn2hls.size.additions import Additions
    from nn2hls.size.choices import Sizer
    from nn2hls.size.streams import StreamSizer
    from nn2hls.tools.folder import Project
    from nn2hls.tools.gxx import CompiledDesign
    from nn2hls.tools.order import CoreOrder, KernelOrder, RtlOrder
    from nn2hls.tools.report import BuildReport


WITNESSES = ("csim", "rtl", "bambu")
EVENTS = 1000  # of a comparison without data


@dataclass(frozen=True)
class Raw:
    """Mantissas of shape (events, *shape), and the type that gives them their value; int64, Python integers beyond 63 bits."""

    mantissas: np.ndarray
    type: FixedType


def convert(
    model: Any,
    config: Any = None,
    calibration: Data | None = None,
    after: Callable[[str, Graph], None] | None = None,
    example: Any = None,
) -> Design:
    """Convert a network.

    Args:
        model: A file, a live Keras, PyTorch or ONNX object, or a Graph from :func:`nn2hls.load`; None: what the config names.
        config: A YAML file, a Config, a whole config as a dict, or hls4ml's ``hls_config`` dict; None: all derived.
        calibration: Data that may set types: one array (events, *shape) per input.
        after: Called with the name of each pass and the graph it made.
        example: An example input, or a tuple of them, when ``model`` is a PyTorch module; the first axis is the batch.

    Raises:
        Nn2hlsError: With the place, what is wrong and what to do.

    Warns:
        ConversionWarning: Once, with all that answers lose and what mends it (:attr:`Design.warnings`).
    """
    settings = with_path(read_config(config), model)
    model = load_model(model, settings, example)
    settings = bind(settings, model)
    if calibration is None and settings.calibration is not None:
        from nn2hls.data.files import load_inputs

        calibration = load_inputs([settings.calibration], {n.name: n.shape for n in model.inputs}, model.states)
    data = None if calibration is None else calibration_of(model, calibration)
    context = Context(settings.settings_of, data, [*settings.notes, *config_notes(settings), *model_notes(settings, model)])
    float_graph = run_passes(model, context, typed=False, after=after)
    context.signals = measure(float_graph, context)
    fixed_graph = run_passes(float_graph, context, typed=True, after=after)
    design = Design(fixed_graph, float_graph, model, settings, types=context.types, signals=context.signals)
    check_backend(design.config, design.graph)
    for line in missed(design, context):
        context.warn(line)
    if context.warnings:
        warnings.warn("\n  ".join(context.warnings), ConversionWarning, stacklevel=2)
    design.interface = interface_of(settings, model, context.notes)
    design.notes, design.warnings = tuple(context.notes), tuple(context.warnings)
    return design


@dataclass(repr=False)
class Design(Fed, Shown):
    """A network with its types.

    Args:
        graph: The fixed graph, which is the hardware.
        float_graph: The user's network, which is the reference.
        source: The network as it was read.
        config: The settings it was converted with.
        notes: What the conversion has to say.
        types: For each node where its types come from, that of its result first.
        signals: Float statistics of each node, by which types were derived.
        warnings: Those of the notes that answers suffer from.
        interface: hls4ml's ports, where the config asks for them.
        board: Where it stands; see :meth:`on_board`.
        card: The same, where AMD's tools make the bitstream.
    """

    graph: Graph
    float_graph: Graph
    source: Graph
    config: Config
    notes: tuple[str, ...] = ()
    types: Mapping[str, tuple[Provenance, ...]] = field(default_factory=dict, repr=False)
    signals: Mapping[str, Any] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()
    interface: Interface | None = field(default=None, repr=False)
    board: OnBoard | None = None
    card: AmdBoard | None = None
    _compiled: CompiledDesign | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: what is prepared from the graphs stays behind, and is prepared again when it is asked for."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"_compiled": None}

    @cached_property
    def _trace(self) -> Trace:
        return Trace(self.graph, self.source, self.float_graph)

    @cached_property
    def emulator(self) -> Emulator:
        """The fixed graph, prepared to run."""
        return Emulator(self.graph)

    # ---- emulation -------------------------------------------------------------------------------------------------------

    def predict(self, x: Data) -> Any:
        """Bit-accurate emulation: floats in, float64 (events, *shape) out; a list for several outputs.

        Events run side by side in threads, one per core, or as many as OPENBLAS_NUM_THREADS, MKL_NUM_THREADS or
        OMP_NUM_THREADS says. Several threads may call it at once.

        Warns:
            OverflowWarning: Once, naming the layers whose values left the range of their types, and the missing bits.
        """
        outputs, log = self.run(x)
        self._warn(log)
        return one_or_list(outputs)

    def run(self, x: Data) -> tuple[list[np.ndarray], OverflowLog]:
        """Like :meth:`predict`, without a warning: all outputs, and the overflows."""
        inputs, outputs = self._given(x)
        values, log = self._emulate(inputs, outputs, raw=False)
        return [values[name] for name in outputs], log

    def predict_raw(self, x: Data) -> Any:
        """The same as mantissas: :class:`Raw`, or a list of them for several outputs."""
        inputs, outputs = self._given(x)
        values, log = self._emulate(inputs, outputs, raw=False, mantissas=True)
        self._warn(log)
        return one_or_list([Raw(values[name], self.graph[name].result_type) for name in outputs])

    def trace(self, x: Data) -> dict[str, np.ndarray]:
        """The output of each of the user's layers, fixed, as float64 (events, *shape); NAME_2 .. for further calls.

        A layer that became part of another one has no value in the design: it shows its own float operation on fixed values.
        """
        values, log = self._emulate(self.with_states(x), self._trace.nodes, raw=False)
        self._warn(log)
        return self._trace.values({name: self.graph[name].whole(found) for name, found in values.items()})

    def trace_float(self, x: Data) -> dict[str, np.ndarray]:
        """The same of the float reference, with the same keys."""
        return self._trace.values(run_float(self.float_graph, self._floats(x)[0], self._trace.nodes))

    def _emulate(
        self, inputs: list[np.ndarray], names: Iterable[str], *, raw: bool, mantissas: bool = False
    ) -> tuple[dict[str, np.ndarray], OverflowLog]:
        events = len(inputs[0]) if inputs else 1
        wanted = {n: self.graph[n] for n in names}
        kinds = {n: (integers(node.result_type) if mantissas else np.dtype(np.float64)) for n, node in wanted.items()}
        values = {name: np.empty((events, *node.shape), dtype=kinds[name]) for name, node in wanted.items()}
        steps = {name: node.result_type.step for name, node in wanted.items()}

        def take(name: str, start: int, part: Any) -> None:
            if name not in values:
                return
            place = values[name][start : start + len(part)]
            if mantissas:
                place[...] = part
            else:
                np.multiply(part.astype(np.float64, copy=False), steps[name], out=place)

        return values, self.emulator.run(inputs, take, wanted, raw=raw)

    def _warn(self, log: OverflowLog) -> None:
        found = log.overflows()
        if found:
            lines = "\n".join(f"  {o}" for o in found)
            warnings.warn(f"Values left the range of their types:\n{lines}", OverflowWarning, stacklevel=3)

    def compare(
        self, x: Data, y: Any = None, *, metric: str | Own | None = None, threshold: float | None = None, before: Any = None
    ) -> Comparison:
        """Fixed against float: per output errors, SQNR, and by what it is agreement, accuracy and AUC of classes or MSE and MAE
        of values; per layer ranges, overflows, SQNR, who loses it, and the bits that would mend it.

        Args:
            x: One array (events, *shape) per input.
            y: Labels of the first output: class numbers, one-hot, or values; for several outputs a list, or arrays by name.
            metric: ``accuracy``, ``agreement``, ``auc``, ``mse``, ``mae``, ``sqnr``, or a function of (labels, answers) that is
                better when larger; without, what the output is decides: a softmax or a sigmoid answers with classes.
            threshold: Above it an output of a single value answers yes; without, one half.
            before: The network before it was pruned, a file, model or graph: every class is compared with it, too.
        """
        from nn2hls.compare.layers import compare_design

        first = None if before is None else load_model(before, replace(self.config, weights=None))
        return compare_design(self, check_inputs(self.graph, x, events=True, states=False), y, metric, threshold, first)

    # ---- size ------------------------------------------------------------------------------------------------------------

    @cached_property
    def sizer(self) -> Sizer:
        """Sizes the design at any reuse factors, on the part and clock of the config, all of an event at once."""
        from nn2hls.size.choices import Sizer

        return Sizer(self.graph, self.emulator.ranges, *projects.target(self.config))

    @cached_property
    def streams(self) -> StreamSizer | None:
        """The processes, queues and pace of a design with IOType io_stream; None with io_parallel."""
        return projects.stream_sizer(self.graph, self.emulator.ranges, self.config)

    def estimate(self) -> Estimate:
        """Resources, latency, interval on part and clock of the config, on a board with its harness; for quantised EBOPs."""
        found = with_bit_operations((self.streams or self.sizer).estimate(), self.graph)
        return found if self.board is None else projects.estimate_on(found, self.graph, self.board)

    @cached_property
    def additions(self) -> Additions:
        """Additions, adder bits and products of each layer by strategy, before anything is built; prints as a table."""
        from nn2hls.size.additions import count_additions

        return count_additions(self.streams or self.sizer)

    # ---- C++ -------------------------------------------------------------------------------------------------------------

    @cached_property
    def options(self) -> Options:
        """What the project needs besides the graph."""
        from nn2hls.emit.options import Options
        from nn2hls.emit.tool import TOOLS

        config = self.config
        own = TOOLS[config.backend].uncertainty if config.backend in TOOLS else 0.0
        uncertainty = own if config.clock_uncertainty is None else 100 * config.clock_uncertainty
        about = config.project_name, config.part, config.clock_period, uncertainty, config.backend
        options = Options(*about, interface=self.interface, axis=config.interface == "axis", board=self.card)
        if config.backend == "Bambu":
            from nn2hls.targets.bambu import bambu_device

            options = replace(options, device=bambu_device(config.part, config.bambu_device).name)
        return options

    @cached_property
    def project(self) -> Project:
        """The generated project, with test vectors and the emulator's answers to them."""
        if self.config.backend == "Verilog":
            return self._rtl[0]
        events = events_of(self.config, self.graph, 100)
        bench = self._vectors(events.inputs), events.predictions, lambda: self.sizer
        return projects.cpp_project(self.graph, self.options, self.streams, *bench)

    def _vectors(self, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Mantissas of the inputs and the emulator's of the outputs, by name."""
        return {**self.answers(inputs), **{n.name: x for n, x in zip(self.graph.inputs, inputs, strict=True)}}

    def answers(self, mantissas: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The emulator's mantissas (events, *shape) of each output by its name, for those of each input."""
        return self._emulate(list(mantissas), self.graph.outputs, raw=True, mantissas=True)[0]

    @cached_property
    def _rtl(self) -> tuple[Project, RtlOrder]:
        """The project in Verilog, and what its bench is to find."""
        return self._verilog(events_of(self.config, self.graph, projects.rtl_events(self.streams)).inputs)

    def _verilog(self, mantissas: Sequence[np.ndarray]) -> tuple[Project, RtlOrder]:
        vectors = self._vectors(mantissas)
        return projects.verilog(self.graph, self.streams or self.sizer, self.options, vectors, self.board)

    def oversize(self) -> str:
        """What makes the design so large that it is only written when that is asked for; empty when nothing does."""
        return beyond_part(self.estimate()) or beyond_lines(self.project.files)

    def write(self, folder: str | os.PathLike[str] | None = None, *, force: bool = False) -> Path:
        """Write the project into ``folder`` or the config's OutputDir; the folder is returned.

        What nn2hls did not write stays, an interrupted write is completed by the next, and a history tells of the call.

        Args:
            folder: Where; without, the config's OutputDir.
            force: Write it however large it is.

        Raises:
            LimitError: It takes more than twice what the part has, or more than 50,000 lines of C++; nothing is written.

        Warns:
            ConversionWarning: The part does not hold it.
        """
        written = self._write(folder, force=force)
        keep_call("convert", "design.write", (folder,), self.config, written, self.project.files)
        return written

    def _write(self, folder: str | os.PathLike[str] | None, *, force: bool) -> Path:
        if not force and (what := self.oversize()):
            raise LimitError(what, fix=f"{FIX} Or force it: write(force=True).")
        if not self.estimate().fits:
            warnings.warn(does_not_fit(self.estimate()), ConversionWarning, stacklevel=2)
        from nn2hls.design.about import with_about

        place = Path(os.path.expanduser(folder if folder is not None else self.config.output_dir))
        return with_about(self.project, self.config, self.options, place, self.estimate()).write(place)

    def compile(self, compiler: str | None = None) -> Design:
        """Compile the generated C++ with g++ or clang++; returns the design."""
        from nn2hls.tools.gxx import compile_project

        self._compiled = compile_project(self.for_cpp().project, compiler)
        return self

    def csim(self, x: Data) -> Any:
        """The compiled C++'s answers, as :meth:`predict` gives the emulator's."""
        return one_or_list([r.mantissas * r.type.step for r in self._answered(x)])

    def csim_raw(self, x: Data) -> Any:
        """The same as mantissas."""
        return one_or_list(self._answered(x))

    def _answered(self, x: Data) -> list[Raw]:
        """What the C++ answers, without states where the data leaves them out."""
        inputs, outputs = self._given(x)
        found = dict(zip(self.graph.outputs, self._csim(mantissas_of(self.graph, inputs, events=False)), strict=True))
        return [found[name] for name in outputs]

    def _csim(self, mantissas: Sequence[np.ndarray]) -> list[Raw]:
        if self._compiled is None:
            self.compile()
        assert self._compiled is not None
        nodes = [self.graph[o] for o in self.graph.outputs]
        flat = [m.reshape(len(m), int(np.prod(m.shape[1:]))).astype(np.int64) for m in mantissas]
        results = self._compiled(flat, [int(np.prod(n.shape)) for n in nodes])
        return [Raw(r.reshape(-1, *n.shape), n.result_type) for r, n in zip(results, nodes, strict=True)]

    def build(
        self,
        tool: str = "csim",
        folder: str | os.PathLike[str] | None = None,
        *,
        steps: Sequence[str] = (),
        timeout: float | None = None,
        show: Callable[[str], None] | None = None,
        synths: Sequence[str] = (),
    ) -> BuildReport:
        """Write the project, run a tool on it and keep its report there, in ``reports/<tool>.json``.

        Args:
            tool: ``csim``: compile the project's own test bench here and run it. ``vitis``, ``vivado``: AMD's tools.
                ``bambu``: Bambu, then Verilator and yosys where they are. ``rtl``: our Verilog, in Verilator and Icarus, and
                yosys; on a board down to its bitstream. The project is written for the tool, whatever Backend the config has.
            folder: Where; without, the config's OutputDir.
            steps: Of ``csim``, ``synth``, ``cosim``, ``export`` and ``vsynth``, of ``hls``, ``simulate`` and ``yosys``, or of
                ``verilog``, ``simulate``, ``yosys``, ``nextpnr`` and ``pack``; without, the tool's usual ones.
            timeout: Seconds after which a program of the tool is ended.
            show: Called with each line that the tool prints.
            synths: With ``rtl`` what yosys counts for, of ``xilinx``, ``ecp5`` and ``gates``; without, for the part.

        Raises:
            ToolError: The tool is missing, or a step needs another one.
            ConfigError: Bambu has not characterised the part.
        """
        from nn2hls.estimate.figures import with_estimate
        from nn2hls.tools.order import Order
        from nn2hls.tools.run import chosen_steps, chosen_synths, tool_named

        chosen = chosen_steps(tool, steps, board="vitis" if self.card else "rtl" if self.board else "")
        design, runner = self.for_tool(tool), tool_named(tool)
        config, project = design.config, design.project
        core = design.core_order(with_corners(config, self.graph, 1000)) if tool == "bambu" else None
        rtl = design._rtl[1] if tool == "rtl" else None
        written = design._write(folder, force=True)
        about = (written, config.project_name, project.digest, config.part, config.clock_period, chosen, timeout, show)
        order = Order(*about, core, rtl, chosen_synths(tool, config.part, synths), design.kernel_order())
        report = with_estimate(runner.run(order), design.estimate())
        if core or rtl:
            away = witnesses.notes_of_distances(config, design.graph, report, design.answers)
            report = replace(report, notes=(*report.notes, *away))
        report.save(written)
        keep_call("build", "design.build", (tool, folder), config, written, [f"reports/{tool}.json"])
        return report

    def for_tool(self, tool: str) -> Design:
        """The design whose project ``tool`` reads: itself, or a copy with another Backend."""
        from nn2hls.tools.run import tool_named

        backend = tool_named(tool).backend
        if backend is None:
            return self.for_cpp()
        if backend == self.config.backend:
            return self
        design = self._for_backend(backend)
        check_backend(design.config, design.graph)
        return design

    def on_board(self, name: str, baud: int | None = None, port: str | None = None) -> Design:
        """The design on a board, for its part; with open tools behind a ``uart`` (else ``spi``) port at a usual rate.

        Raises:
            ConfigError: There is no such board or port, its clock is not the design's or does not make this rate, or it holds
                no such design.
        """
        return replace(self, **projects.standing(self.config, name, baud, port), _compiled=None)

    def kernel_order(self) -> KernelOrder | None:
        """What the kernel on a board of AMD's is to answer; None without such a board."""
        events = with_corners(self.config, self.graph, projects.BOARD_EVENTS) if self.card else ()
        return projects.kernel_order(self.sizer, self.options, self._vectors(events)) if self.card else None

    def for_cpp(self) -> Design:
        """The design whose project is C++: itself, or with Backend Verilog a copy for Vitis, which answers the same."""
        return self if self.config.backend != "Verilog" else self._for_backend("Vitis")

    def _for_backend(self, backend: str) -> Design:
        graph = self.graph.with_built_in() if backend == "Bambu" else self.graph
        return replace(self, graph=graph, config=replace(self.config, backend=backend), _compiled=None)

    def core_order(self, mantissas: Sequence[np.ndarray]) -> CoreOrder:
        """The core that Bambu is to build, with mantissas (events, *shape) of each input to try it on."""
        from nn2hls.emit.core import core_order

        return core_order(self.graph, self.options, mantissas, self.answers(mantissas))

    def verify(self, x: Data | None = None, tool: str = "csim", folder: str | os.PathLike[str] | None = None) -> Verdict:
        """Compare the emulator with another witness on every mantissa.

        Args:
            x: Data; without, InputData of the config, and without that 1,000 vectors: corners of the input types and seeded
                uniform ones over their whole range; of streams in Verilog as many as take 8,000 clocks.
            tool: ``csim``: the compiled C++. ``rtl``: our Verilog, and ``bambu``: the RTL that ``build`` has made, both under
                Verilator, events back to back.
            folder: For ``bambu``: the built project; without, the config's OutputDir.

        Raises:
            ToolError: The tool is missing, or the folder holds no RTL of this design.
        """
        if tool not in WITNESSES:
            what = "Use 'csim', the compiled C++, 'rtl', our Verilog, or 'bambu', the RTL that Bambu made."
            raise ToolError(f"There is no witness '{tool}'.", fix=what)
        most = projects.rtl_events(self.for_tool("rtl").streams) if tool == "rtl" else EVENTS
        events = events_of(self.config, self.graph, most) if x is None else Events(mantissas_of(self.graph, x))
        inputs = list(events.inputs)
        emulated, log = self._emulate(inputs, self.graph.outputs, raw=True, mantissas=True)
        if tool == "csim":
            compiled = zip(self.graph.outputs, self._csim(inputs), strict=True)
            found = witnesses.verify_csim(emulated, {name: raw.mantissas for name, raw in compiled})
        elif tool == "rtl":
            found = witnesses.verify_rtl(self.graph, *self.for_tool("rtl")._verilog(inputs))
        else:
            design = self.for_tool("bambu")
            found = witnesses.verify_core(Path(folder or self.config.output_dir), design.project, design.core_order(inputs))
        away = witnesses.distances(self.graph, emulated, events.predictions) if found.equal else {}
        return replace(found, overflows=tuple(str(o) for o in log.overflows()), predictions=away)

    def layer(self, name: str) -> Node:
        """The node of this name in the fixed graph."""
        return self.graph[name]
