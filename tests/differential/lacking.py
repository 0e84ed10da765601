"""What this kernel cannot make, and so no differential run covers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.kernel.netns import Namespace, namespace

_LINKS = {
    "ipip": "ipip remote 192.0.2.1 local 192.0.2.2",
    "geneve": "geneve id 1 remote 192.0.2.1",
    "gre": "gre remote 192.0.2.1 local 192.0.2.2",
    "wireguard": "wireguard",
    "vrf": "vrf table 9",
    "dummy": "dummy",
}
_SETS = ("hash:mac", "hash:ip,mac", "hash:ip,mark", "hash:net,net", "hash:net,port,net", "hash:net,iface")
_RULES = {
    "-m ipvs": "-m ipvs --ipvs",
    "-m cgroup": "-m cgroup --path a",
    "-m u32": "-m u32 --u32 0=0",
    "-m bpf": "-m bpf --bytecode 1,6 0 0 1",
    "-j TPROXY": "-p tcp -j TPROXY --on-port 1 --tproxy-mark 1/1",
}


def lacking() -> list[str]:
    """Devices, sets and rules that an attempt to make them shows to be missing."""
    with namespace("lack") as space:
        return list(_tried(space))


def _tried(space: Namespace) -> Iterator[str]:
    for name, words in _LINKS.items():
        if _fails(space, "ip", "link", "add", "x1", "type", *words.split()):
            yield f"device {name}"
        space.run("ip", "link", "del", "x1", check=False)
    for number, kind in enumerate(_SETS):
        if _fails(space, "ipset", "create", f"x{number}", kind):
            yield f"set {kind}"
    for name, words in _RULES.items():
        if _fails(space, "iptables-nft", "-t", "mangle", "-A", "PREROUTING", *words.split()):
            yield name


def _fails(space: Namespace, *command: str) -> bool:
    try:
        space.run(*command)
    except AssertionError:
        return True
    return False
