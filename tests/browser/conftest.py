"""A test that fails in the browser leaves a picture of what the page showed, beside those of the tests that pass."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.browser.chromium import picture


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    known = getattr(item, "funcargs", {})
    page = known.get("page") or getattr(known.get("lab"), "page", None)
    if report.when == "call" and report.failed and page is not None:
        picture(page, f"failed_{item.name}")
    return report
