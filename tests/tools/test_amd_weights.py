"""Boards of AMD's: the driver writes the weights of another model through the compiled kernel, and is heard to."""

import json
import sys

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.design.reload import reloaded, weights_image
from nn2hls.tools.amd.kernel import CompiledKernel
from tests.kit.amd_boards import fake_pynq, fake_xrt, load_driver
from tests.kit.reloadable import placed_network, placed_settings


@pytest.mark.parametrize("name", ["pynq-z2", "alveo-u50"])
def test_a_driver_loads_weights(name, tmp_path, monkeypatch):
    design = convert(placed_network(1), placed_settings(Backend="Vitis", ClockPeriod=8)).on_board(name)
    folder = design.write(tmp_path / "p")
    second = reloaded(folder, placed_network(2, zeros=0.5))
    kernel, order = CompiledKernel(folder, "net", "net_kernel"), design.kernel_order()
    assert (kernel(order.requests, order.answers.shape[1]) == order.answers).all()
    fake = (fake_pynq if design.card.shell.driver == "pynq" else fake_xrt)(kernel)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    driver = load_driver(folder, monkeypatch)
    board, x = driver.Accelerator(), np.random.default_rng(1).integers(-512, 512, size=(40, 4, 2))
    meant = [d.answers([x])["each"] for d in (design, second)]
    assert driver.main() == 0
    for most in (driver.MOST, 3 * 64):  # at once, and in several transfers
        monkeypatch.setattr(driver, "MOST", most)
        for other, answers in ((second, meant[1]), (design, meant[0])):
            image = weights_image(other)
            assert board.load_weights(image) == len(image.splitlines())
            assert (board.run(x)[0] == answers).all()
    assert (meant[0] != meant[1]).any()
    assert board.load_weights("") == 0
    sizes = json.loads((folder / "board" / "board.json").read_text())["weights"]
    for line in ("@0", f"@{1 << sizes['address_bits']:x} 1", f"@0 {1 << sizes['word_bits']:x}", "@0 1 1"):
        with pytest.raises(ValueError, match="no word of an image"):
            board.load_weights(line)
    with pytest.raises(ValueError, match="x: the shape"):
        board.run(x[:, :3])
