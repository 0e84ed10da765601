"""What the fault tests share: a lab of their own in each backend, and a table told past pytest's capture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from lab.machine import NATIVE, Lab, Settings
from lab.plan import KubeProxy


@contextmanager
def running(letter: str, backend: str) -> Iterator[Lab]:
    """A running lab of this test run's own; the letter tells it from those of other tests."""
    made = Lab(f"ct-{letter}{os.getpid() % 100000}{backend[:3]}")
    kube: KubeProxy = "nft" if backend == NATIVE else "ipvs"
    try:
        made.up(Settings(backend, kube, home=kube))
        yield made
    finally:
        made.down()


def uncaptured(request: pytest.FixtureRequest) -> AbstractContextManager[object]:
    """While it lasts, what is printed reaches the terminal."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()
