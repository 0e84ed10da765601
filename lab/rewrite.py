"""Felix at work: endpoint and profile chains written anew, ten a second, their counters from zero.

Run inside the node's namespace: `python -m lab.rewrite BACKEND NODE KUBE NAMESPACE`.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

from lab import plan, rules
from lab.helper import is_own

CHAINS_PER_S = 10


def run(backend: str, node: str, kube: plan.KubeProxy, namespace: str) -> None:
    """Rewrites chain after chain until the namespace loses its name, or refuses."""
    texts = rules.rewritten(plan.healthy(kube)[node])
    print("ready", flush=True)
    for text in itertools.cycle(texts):
        if not is_own(namespace):
            return
        subprocess.run([f"iptables-{backend}-restore", "--noflush"], input=text, text=True, check=True)
        time.sleep(1 / CHAINS_PER_S)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], "iptables" if sys.argv[3] == "iptables" else "ipvs", sys.argv[4])
