"""Shared fixtures."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with models and reports beside the repository; a test that needs it skips where it is absent."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip(f"{path} is not here")
    return path


def require_tool(name: str, found: object) -> None:
    """Skip the running test when a tool was not ``found``; fail when NN2HLS_REQUIRE_TOOLS (``clang,systemc``) names it."""
    if found:
        return
    if name in os.environ.get("NN2HLS_REQUIRE_TOOLS", "").split(","):
        pytest.fail(f"NN2HLS_REQUIRE_TOOLS asks for {name}, which is not here.")
    pytest.skip(f"{name} is not here")
