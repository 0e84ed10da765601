"""Felix at work: endpoint and profile chains written anew, ten a second, their counters from zero.

Run inside the node's namespace: `python -m lab.rewrite BACKEND NODE KUBE NAMESPACE FAULTS`.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

from lab import rules, together
from lab.faults import named
from lab.helper import is_own
from lab.plan import KubeProxy

CHAINS_PER_S = 10


def run(backend: str, node: str, kube: KubeProxy, namespace: str, faults: str) -> None:
    """Rewrites chain after chain until the namespace loses its name, or refuses."""
    texts = rules.rewritten(together.plans(named(faults), kube)[node])
    print("ready", flush=True)
    for text in itertools.cycle(texts):
        if not is_own(namespace):
            return
        subprocess.run([f"iptables-{backend}-restore", "--noflush"], input=text, text=True, check=True)
        time.sleep(1 / CHAINS_PER_S)


if __name__ == "__main__":
    backend, node, kube, namespace, faults = sys.argv[1:]
    run(backend, node, "iptables" if kube == "iptables" else "ipvs", namespace, faults)
