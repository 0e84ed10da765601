"""Which profile stands behind a chain whose name is a hash: known namespaces and accounts, hashed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from calitop.cni.felix_hash import chain_name
from calitop.model.node import Pod

_STARTS = ("cali-pri-", "cali-pro-")
_NAMESPACE = re.compile(r"cali-pr[io]-kns\.(.+)", re.S)


def profiles_by_chain(pods: Sequence[Pod], chains: Iterable[str]) -> Mapping[str, str]:
    """Chain name -> profile, for every profile that a node with these pods and chains may have.

    Source:
        Calico, libcalico-go: a profile `kns.NAMESPACE` for each namespace, `ksa.NAMESPACE.ACCOUNT` for
        each service account.
    """
    return {chain_name(start, profile): profile for profile in _profiles(pods, chains) for start in _STARTS}


def _profiles(pods: Sequence[Pod], chains: Iterable[str]) -> Iterator[str]:
    accounts: dict[str, set[str]] = {space: set() for space in ("default", "kube-system")}
    accounts |= {found[1]: set() for name in chains if (found := _NAMESPACE.fullmatch(name))}
    for pod in pods:
        if pod.namespace:
            # Most service accounts are called like what runs under them.
            accounts.setdefault(pod.namespace, set()).update(_prefixes(pod.name))
    for space, names in accounts.items():
        yield f"kns.{space}"
        yield from (f"ksa.{space}.{name}" for name in sorted(names | {"default"}))


def _prefixes(pod: str) -> Iterator[str]:
    parts = pod.split("-")
    return ("-".join(parts[:count]) for count in range(1, len(parts) + 1))
