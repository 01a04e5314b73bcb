"""Fixtures and helpers for all tests."""

import os
import shlex
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Whoever starts the tests in the background may ignore these, and so would every program that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# ci: the same examples everywhere, so that a test is red or green for what was changed; fuzz (make fuzz): new ones each time.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, database=None, **_COMMON)
settings.register_profile("fuzz", print_blob=True, **_COMMON)
settings.load_profile(os.environ.get("NN2HLS_HYPOTHESIS", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Verilator's library is compiled once for all tests, in all processes and runs."""
    cache = getattr(config, "cache", None)  # not with -p no:cacheprovider
    if cache is not None and "OBJCACHE" not in os.environ:
        script = Path(__file__).with_name("kit") / "object_cache.py"
        os.environ["OBJCACHE"] = shlex.join([sys.executable, "-ES", str(script), str(cache.mkdir("verilated"))])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with most long tests first, so that no process has one left to begin when the others are through."""
    long = Counter(item.path for item in items if item.get_closest_marker("long"))
    items.sort(key=lambda item: -long[item.path])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public models and reports beside the repository; a test that needs it skips where it is absent."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("../shared, with the public models and reports, is not here")
    return path


# What the machine of .ci/run does not have: words of the reasons for which it may skip a test.
_NOT_IN_CI = ("../shared", "bambu", "Bambu", "clang-16")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where NN2HLS_REQUIRE_TOOLS is set, a test that is skipped for anything else fails the run: a package that is gone."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or "NN2HLS_REQUIRE_TOOLS" not in os.environ:  # xdist's workers have no reporter
        return
    reasons = {str(report.longrepr[-1]) for report in reporter.stats.get("skipped", [])}
    wrong = sorted(r for r in reasons if not any(word in r for word in _NOT_IN_CI))
    if wrong:
        reporter.write_line("\nskipped, and NN2HLS_REQUIRE_TOOLS is set: " + "; ".join(wrong), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
