"""Checks and explanations of damaged snapshots: an answer, or an error that says what is wrong.

CALITOP_FUZZ=1000 raises the number of damaged snapshots.
"""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from calitop.check.catalogue import check
from calitop.cni.index import NodeIndex
from calitop.counters.compare import compare
from calitop.errors import CalitopError
from calitop.explain.about import about
from calitop.explain.chain_words import explain_chain
from calitop.explain.node_summary import summarise
from calitop.explain.rule_words import explain_rule
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from tests.check.states import SNAPSHOTS
from tests.formats.test_network_fuzz import mutated

ROUNDS = int(os.environ.get("CALITOP_FUZZ", "12"))
ASKED = ("10.222.219.6", "cali40all-hosts-net", "0x10000", "10.222.0.0/24", "tunl0", "cali-FORWARD", "rule 0")


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_damaged_snapshot_is_answered(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    root = tmp_path / "damaged"
    shutil.copytree(SNAPSHOTS / dice.choice(("lab", "faults/identity-mark", "field-report")), root)
    files = sorted(path for path in root.rglob("*") if path.suffix in (".txt", ".json"))
    for path in dice.sample(files, dice.randint(1, min(5, len(files)))):
        path.write_text(mutated(path.read_text(), dice), errors="surrogatepass")
    with suppress(CalitopError):
        nodes = [node.moments for node in open_snapshots([str(root)])]
        counts = [compare(*moments[-2:]) if len(moments) > 1 else None for moments in nodes]
        check([moments[-1] for moments in nodes], counts)
        explain_everything(nodes[0][-1])


def explain_everything(state: NodeState) -> None:
    index = NodeIndex(state)
    summarise(index)
    for key, chain in index.chains.items():
        explain_chain(index, key)
        for at in range(len(chain.rules)):
            explain_rule(index, key, at)
    for what in ASKED:
        with suppress(CalitopError):
            about([index], [what])
