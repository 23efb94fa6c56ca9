"""The test suite's one plugin; it lives in tests/notebook_plugin and closes the gaps of nbval."""

import os

import torch

# Triton decides at its first import whether it interprets kernels, and other libraries import it.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

pytest_plugins = ["notebook_plugin"]
