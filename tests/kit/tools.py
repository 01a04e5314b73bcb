"""Tools that a test needs."""

import os

import pytest


def require_tool(name: str, found: object, why: str = "is not installed") -> None:
    """Skip the test when a tool is missing, or fail it where NN2HLS_REQUIRE_TOOLS says that the tool must be there."""
    if found:
        return
    if name in os.environ.get("NN2HLS_REQUIRE_TOOLS", "").split(","):
        pytest.fail(f"{name} {why}, and NN2HLS_REQUIRE_TOOLS asks for it")
    pytest.skip(f"{name} {why}")
