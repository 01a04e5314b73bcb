"""Stand-ins of PYNQ and XRT, whose device is the compiled kernel; a driver of a written project, loaded as it stands there."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np


def fake_pynq(kernel):
    """The module ``pynq`` with a DMA in front of the kernel."""
    module = ModuleType("pynq")
    module.loaded, module.held = [], set()

    class Buffer(np.ndarray):
        def freebuffer(self):
            module.held.discard(id(self))

    def allocate(shape, dtype):
        made = np.full(shape, 0xA5, dtype=dtype).view(Buffer)
        module.held.add(id(made))
        return made

    class Dma:
        """The receiver must wait before anything is sent."""

        def __init__(self):
            self.sink, self.done = None, False
            self.recvchannel = SimpleNamespace(transfer=self.receive, wait=self.wait)
            self.sendchannel = SimpleNamespace(transfer=self.send, wait=self.wait)

        def receive(self, sink):
            self.sink, self.done = sink, False

        def send(self, source):
            self.sink[:] = kernel(np.asarray(source), self.sink.shape[1])
            self.done = True

        def wait(self):
            assert self.done

    def overlay(path):
        module.loaded.append(path)
        return SimpleNamespace(dma=Dma())

    module.Overlay, module.allocate = overlay, allocate
    return module


def fake_xrt(kernel):
    """The module ``pyxrt`` with a card whose kernel this is: only what was synchronised is there."""
    module = ModuleType("pyxrt")
    module.loaded = []
    module.xclBOSyncDirection = SimpleNamespace(XCL_BO_SYNC_BO_TO_DEVICE="to", XCL_BO_SYNC_BO_FROM_DEVICE="from")

    class bo:  # noqa: N801  # as XRT calls it
        normal = 0

        def __init__(self, device, size, flags, group):
            self.host, self.card, self.group = bytearray(size), bytearray(size), group

        def write(self, data, offset):
            self.host[offset : offset + len(data)] = data

        def read(self, size, offset):
            return np.frombuffer(bytes(self.host[offset : offset + size]), dtype=np.int8)

        def sync(self, way, size, offset):
            source, target = (self.host, self.card) if way == "to" else (self.card, self.host)
            target[offset : offset + size] = source[offset : offset + size]

    class Kernel:
        def __init__(self, device, uuid, name):
            module.loaded.append((uuid, name))

        def group_id(self, argument):
            return argument

        def __call__(self, source, sink, events):
            assert (source.group, sink.group) == (0, 1)
            data = np.frombuffer(bytes(source.card), dtype=np.uint8).reshape(events, -1)
            sink.card[:] = kernel(data, len(sink.card) // events).tobytes()
            return SimpleNamespace(wait=lambda: None)

    module.device = lambda index: SimpleNamespace(load_xclbin=lambda loaded: f"uuid of {loaded}")
    module.xclbin, module.kernel, module.bo = str, Kernel, bo
    return module


def load_driver(folder, monkeypatch):
    """The module ``driver`` of a project, with its own ``packing``."""
    monkeypatch.syspath_prepend(str(folder / "board"))
    for name in ("packing", "driver"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = importlib.util.spec_from_file_location("driver", folder / "board" / "driver.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert sys.modules["packing"].__file__ == str(folder / "board" / "packing.py")
    monkeypatch.delitem(sys.modules, "packing")
    return module
