"""Which CNI new pods get."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Evidence, Found

_CONFIGS = (".conf", ".conflist", ".json")
"""What the runtime loads (containernetworking/cni, libcni/conf.go, ConfFiles)."""


def _several(facts: NodeFacts) -> Iterator[Found]:
    """The runtime takes the first in the order of names; all others are never used."""
    names = sorted(name for name in facts.state.cni_configs if name.endswith(_CONFIGS))
    if len(names) > 1:
        title = f"new pods get {names[0]}; {', '.join(names[1:])} is not used"
        yield Found(title, tuple(Evidence("file", name, f"/etc/cni/net.d/{name}") for name in names))


def _set_aside(facts: NodeFacts) -> Iterator[Found]:
    """Configurations that Cilium has renamed, as it does with cni.exclusive."""
    for name in sorted(facts.state.cni_configs):
        if name.endswith(".cilium_bak"):
            title = f"Cilium has set aside {name.removesuffix('.cilium_bak')}"
            yield Found(title, (Evidence("file", name, f"/etc/cni/net.d/{name}"),))


CHECKS = (
    Check(
        "several-cni-configs",
        "info",
        ("cni",),
        "The container runtime loads the first configuration in the order of names. Pods that run keep the "
        "one that they were made with.",
        "Remove what is left of a removed CNI; during a migration the order is what decides.",
        "Cilium documentation, k8s-install-migration",
        _several,
    ),
    Check(
        "cni-config-set-aside",
        "info",
        ("cni",),
        "New pods get no network of this CNI any more. During a migration pods of both are "
        "wanted; later this is as it should be.",
        "If new pods should still get it: cni.exclusive=false in Cilium's Helm values, and rename it back.",
        "cilium/cilium#14192",
        _set_aside,
    ),
)
