"""Snapshots of both nodes, before and after pings, taken by calitop itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab import topology, trial
from lab.machine import Lab, Settings
from lab.ping import Pinged, ping
from lab.shell import LabError, run
from lab.topology import Node, Pod

# The node's name is the host's, so it is set in a UTS namespace of the capture's own.
AS_NODE = 'hostname "$1"; shift; exec "$@"'
CALITOP = "import sys; from calitop.cli.main import main; sys.exit(main())"
ORIGIN = """\
Two nodes between Calico and Cilium, saved before and after pings by `python3 -m lab capture`.

Taken from the lab (docs/lab.md): real kernel objects, rules and packets in network namespaces.
Backend {backend}, kube-proxy in {kube} style, fault: {fault}.
Ping: {source} ({source_ip}) -> {destination} ({destination_ip}), {sent} packets, {received} replies.
`result.json` holds what the lab itself measured to move meanwhile.
"""


def capture(lab: Lab, settings: Settings, folder: Path, source: Pod, destination: Pod, pings: int) -> None:
    """Writes `NODE/before` and `NODE/after` of both nodes, the pod list, and what was measured.

    Raises:
        LabError: The folder exists, or something could not be saved.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise LabError(f"cannot capture in {str(folder)!r}: it exists; name another folder") from None

    def pinged() -> Pinged:
        _save_nodes(lab, folder, "before")
        result = ping(lab, source, destination, pings)
        _save_nodes(lab, folder, "after")
        return result

    measured = trial.run(lab, settings.backend, pinged)
    (folder / "pods.txt").write_text(topology.pod_list())
    (folder / "result.json").write_text(json.dumps(_result(settings, measured), indent=1) + "\n")
    (folder / "ORIGIN.md").write_text(_origin(settings, measured.pinged))


def _save_nodes(lab: Lab, folder: Path, moment: str) -> None:
    for node in topology.NODES:
        save(lab, node, folder / node.hostname / moment)


def save(lab: Lab, node: Node, destination: Path) -> None:
    """Saves one node as `calitop save` does, the host named as the node is."""
    destination.parent.mkdir(exist_ok=True)
    calitop = [sys.executable, "-c", CALITOP, "save", "--netns", lab.namespace(node.name)]
    run("unshare", "--uts", "sh", "-c", AS_NODE, "sh", node.hostname, *calitop, str(destination.absolute()))


def _result(settings: Settings, measured: trial.Trial) -> dict[str, object]:
    ends = {"src": measured.pinged.source, "dst": measured.pinged.destination}
    return {
        "backend": settings.backend,
        "fault": settings.fault,
        **{
            end: {"pod": pod.name, "node": topology.node_of(pod).hostname, "ip": pod.ip, "cni": pod.cni}
            for end, pod in ends.items()
        },
        "sent": measured.pinged.sent,
        "received": measured.pinged.received,
        "diff": {node.hostname: measured.moved[node.name].as_json() for node in topology.NODES},
    }


def _origin(settings: Settings, pinged: Pinged) -> str:
    return ORIGIN.format(
        backend=settings.backend,
        kube=settings.kube,
        fault=settings.fault or "none",
        source=pinged.source.name,
        source_ip=pinged.source.ip,
        destination=pinged.destination.name,
        destination_ip=pinged.destination.ip,
        sent=pinged.sent,
        received=pinged.received,
    )
