"""Fixtures of the kernel tests: namespaces of their own, and a reason when they cannot run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.kernel.netns import Namespace, namespace, why_not


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `kernel` with the reason why it cannot run here; in CI that is a failure."""
    reason = why_not()
    if reason is None:
        return
    if os.environ.get("CALITOP_REQUIRE_KERNEL"):
        pytest.exit(f"the kernel tests cannot run: {reason}", returncode=1)
    for item in items:
        if item.get_closest_marker("kernel"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def netns() -> Iterator[Namespace]:
    """One empty network namespace."""
    with namespace() as made:
        yield made


@pytest.fixture
def make_netns() -> Iterator[Callable[[str], Namespace]]:
    """Makes as many namespaces as a test wants, by purpose."""
    with ExitStack() as stack:
        yield lambda purpose: stack.enter_context(namespace(purpose))
