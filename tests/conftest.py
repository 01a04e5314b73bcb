"""Fixtures for all tests."""

from pathlib import Path

import pytest


@pytest.fixture
def shared() -> Path:
    """The folder of public models and reports beside the repository; the test is skipped where it is absent."""
    path = Path(__file__).parents[1] / ".." / "shared"
    if not path.is_dir():
        pytest.skip("../shared, with the public models, is not here")
    return path.resolve()
