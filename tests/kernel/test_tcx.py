"""Programs on tcx are seen without bpftool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from calitop.formats.bpftool_net import parse
from calitop.sources.tcx import with_tcx
from tests.kernel.test_lab_faults import kernel

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(kernel() < (6, 6), reason="no tcx before kernel 6.6")]

ASK = "from calitop.sources.tcx import bpftool_net; print(bpftool_net(), end='')"
ATTACH = "from lab.identity_mark import attach; attach('v0', 5); "


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace with a pair of devices."""
    name = f"ct-tcx{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1"], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


def asked(namespace: str, code: str) -> str:
    words = ["ip", "netns", "exec", namespace, sys.executable, "-c", code]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_a_program_is_told_in_bpftools_words(namespace: str) -> None:
    assert parse(asked(namespace, ASK)).bpf == ()
    (found,) = parse(asked(namespace, ATTACH + ASK)).bpf or ()
    assert (found.dev, found.direction, found.kind, found.name) == ("v0", "ingress", "tcx", "identity_mark")


def test_what_bpftool_printed_is_kept() -> None:
    """Where it knows tcx, or nothing is there, its words stay as they are."""
    for text in ('[{"xdp":[],"tc":[{"devname":"v0","kind":"tcx/ingress","prog_id":1}]}]', "no json"):
        assert with_tcx(text) == text
    assert json.loads(with_tcx('[{"xdp":[],"tc":[]}]'))[0] == {"xdp": [], "tc": []}
