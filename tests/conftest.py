"""Fixtures and helpers for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public models and reports beside the repository; a test that needs it skips where it is absent."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("../shared, with the public models and reports, is not here")
    return path


def require_tool(name: str, found: object) -> None:
    """Skip the test when a tool is missing, or fail it where NN2HLS_REQUIRE_TOOLS says that the tool must be there."""
    if found:
        return
    if name in os.environ.get("NN2HLS_REQUIRE_TOOLS", "").split(","):
        pytest.fail(f"{name} is missing, and NN2HLS_REQUIRE_TOOLS asks for it")
    pytest.skip(f"{name} is not installed")
