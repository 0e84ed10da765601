"""Fixtures of the kernel tests: namespaces of their own, and a reason when they cannot run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.kernel.netns import Namespace, namespace, why_not


# First of all, so that the plugin that deals the tests out sees the group.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker for all that is marked `kernel`; skip it with the reason why it cannot run, in CI fail.

    Beside each other these tests would see each other's traffic and processor time; beside the
    other tests they only wait.
    """
    reason = why_not()
    if reason is not None and os.environ.get("CALITOP_REQUIRE_KERNEL"):
        pytest.exit(f"the kernel tests cannot run: {reason}", returncode=1)
    for item in items:
        if not item.get_closest_marker("kernel"):
            continue
        item.add_marker(pytest.mark.xdist_group("kernel"))
        if reason is not None:
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
