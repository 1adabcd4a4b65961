"""The end of the suite's servers, and the report on request."""

from pathlib import Path

import pytest
from conformance import harness, report
from conformance.harness import BENCH


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conformance-report", type=Path, help="write the page that lists behaviour and server to a file")
    parser.addoption("--conformance-whole", action="store_true", help="run every case in the container, too")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--conformance-whole", default=False):
        harness.CONTAINER_SHARE = 1


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _observe(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    BENCH.close()
    path = session.config.getoption("--conformance-report", default=None)
    if path is not None:
        path.write_text(report.page(report.cases(), report.OUTCOMES))


def _observe(found: pytest.TestReport) -> None:
    if "tests/conformance/" in found.nodeid and (found.when == "call" or found.outcome != "passed"):
        report.OUTCOMES[found.nodeid.partition("::")[2]] = found.outcome
