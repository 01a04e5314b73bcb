"""Command lines to begin with, shown in the help of each command; a test reads every one of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "config": (
        "nn2hls config net.keras -o net.yml",
        "nn2hls config net.yml --explain fc1",
        "nn2hls config net.yml --input x.npy --target-agreement 99.5% -o tuned.yml",
    ),
    "convert": ("nn2hls convert net.yml", "nn2hls convert net.onnx --precision 'ap_fixed<16,6>' --part xc7z020clg400-1 -o out"),
    "emulate": ("nn2hls emulate net.yml --input x.npy -o answers.npy",),
    "compare": ("nn2hls compare net.yml --input x.npy --labels y.npy", "nn2hls compare net.yml --input x.npy --plots figures"),
    "estimate": ("nn2hls estimate net.yml", "nn2hls estimate net.yml --reuse 4 --clock 3 --json"),
    "plan": ("nn2hls plan net.yml --fit -o fitted.yml", "nn2hls plan net.yml --max-latency 75ns --max-dsp 50%"),
    "build": (
        "nn2hls build net.yml",
        "nn2hls build net.yml --tool rtl --board ulx3s-25",
        "nn2hls build net.yml --tool vitis --board pynq-z2",
    ),
    "verify": ("nn2hls verify net.yml", "nn2hls verify net.yml --tool rtl --input x.npy"),
    "weights": ("nn2hls weights my-hls-test retrained.keras -o image.hex",),
    "export": ("nn2hls export emulator net.yml -o library", "nn2hls export rtl net.yml -o core"),
    "report": (
        "nn2hls report my-hls-test",
        "nn2hls report net.yml --html net.html --input x.npy --labels y.npy --classes g,q,W,Z,t",
    ),
    "plot": ("nn2hls plot net.yml -o figures --input x.npy --labels y.npy", "nn2hls plot net.yml -o figures --only network"),
    "scan": (
        "nn2hls scan net.yml --input x.npy --labels y.npy --precision 'ap_fixed<{8..18},6>' -o scan.json",
        "nn2hls scan net.yml --input x.npy --reuse 1..8 --plot reuse.png",
    ),
    "search": ("nn2hls search net.yml --input x.npy --labels y.npy --max-loss 0.5 -o found.yml",),
    "history": ("nn2hls history net.yml", "nn2hls history my-hls-test"),
    "replay": ("nn2hls replay my-hls-test convert-1",),
    "layers": ("nn2hls layers",),
    "passes": ("nn2hls passes", "nn2hls passes net.yml --print-after fold-scale"),
    "doctor": ("nn2hls doctor",),
}
