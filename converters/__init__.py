"""Readers of Keras, PyTorch and ONNX models. Frameworks are imported only where a live object needs them."""
