"""Felix at work: endpoint and profile chains written anew, ten a second, their counters from zero.

Run inside the node's namespace: `python -m lab.rewrite BACKEND NODE KUBE`.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

from lab import plan, rules

CHAINS_PER_S = 10


def run(backend: str, node: str, kube: plan.KubeProxy) -> None:
    """Rewrites chain after chain until it is ended, or the namespace refuses."""
    texts = rules.rewritten(plan.healthy(kube)[node])
    print("ready", flush=True)
    for text in itertools.cycle(texts):
        subprocess.run([f"iptables-{backend}-restore", "--noflush"], input=text, text=True, check=True)
        time.sleep(1 / CHAINS_PER_S)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], "iptables" if sys.argv[3] == "iptables" else "ipvs")
