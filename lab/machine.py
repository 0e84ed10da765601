"""The lab as it runs: namespaces, links, helper processes, and loading a plan into them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab import conntrack, network, rules, topology
from lab.plan import KubeProxy, Plan, healthy
from lab.shell import PROJECT, LabError, batch, inside, run, scripts

STATE_FOLDER = Path("/run/calitop-lab")
NATIVE = "native"
"""Calico and kube-proxy in nftables mode, each with a table of its own; Cilium by iptables-nft."""
OTHER = {"nft": "legacy", "legacy": "nft", NATIVE: "legacy"}


@dataclass(frozen=True)
class Settings:
    """What a lab was brought up with; kept in /run so that later commands know it."""

    backend: str = "nft"
    kube: KubeProxy = "ipvs"
    fault: str | None = None
    """What is wrong: a name, or several joined by `+`."""
    home: KubeProxy = "ipvs"
    """The style to heal to; a fault may need the other one."""
    lasting: bool = False
    """Whether something is in place that only building anew removes."""


class Lab:
    """One two-node lab. Its namespaces have the lab's name as prefix, so several can run side by side."""

    def __init__(self, name: str = "ct") -> None:
        self.name = name
        self._state = STATE_FOLDER / f"{name}.json"
        self._log = STATE_FOLDER / f"{name}.log"
        self._children: list[subprocess.Popen[str]] = []

    def namespace(self, place: str) -> str:
        """Name of the namespace of a node, of a pod, or of the network between the nodes (`net`)."""
        return f"{self.name}-p-{place}" if place in topology.PODS else f"{self.name}-{place}"

    @property
    def namespaces(self) -> list[str]:
        """Names of all its namespaces."""
        places = ["net", *(node.name for node in topology.NODES), *topology.PODS]
        return [self.namespace(place) for place in places]

    @property
    def settings(self) -> Settings | None:
        """What the running lab was brought up with; None while it is down.

        Raises:
            LabError: The state was written by another version of the lab.
        """
        if not (self._state.exists() and Path("/run/netns", self.namespace("net")).exists()):
            return None
        try:
            return Settings(**json.loads(self._state.read_text()))
        except (TypeError, ValueError):
            raise LabError(
                f"cannot read {str(self._state)!r}: not this lab's; build it anew: make lab"
            ) from None

    def up(self, settings: Settings, plans: Mapping[str, Plan] | None = None) -> None:
        """Builds the lab and loads the plans; what an earlier run left behind goes first.

        Raises:
            LabError: Not root, a program is missing, or the kernel refused something.
        """
        require_root()
        self.down()
        try:
            self._build()
            self.load(settings, plans or healthy(settings.kube))
        except BaseException:
            self.down()
            raise

    def _build(self) -> None:
        batch(f"netns add {name}" for name in self.namespaces)
        scripts(dict.fromkeys(self.namespaces, network.NO_IPV6))
        batch(network.underlay_links(self.namespace), self.namespace("net"))
        for node in topology.NODES:
            batch(network.node_links(node, self.namespace), self.namespace(node.name))
        pods = [(pod, node) for node in topology.NODES for pod in node.pods]
        scripts({self.namespace(pod.name): network.pod_script(pod, node) for pod, node in pods})
        for node in topology.NODES:
            commands = "\n".join(network.traffic_control(node)) + "\n"
            run("tc", "-n", self.namespace(node.name), "-batch", "-", stdin=commands)
        self._start(
            [(node.name, ["lab.ipip", "tunl0", self.namespace(node.name)]) for node in topology.NODES]
        )

    def load(self, settings: Settings, plans: Mapping[str, Plan]) -> None:
        """Brings the nodes to the plans, whatever was loaded before: counters and conntrack start anew.

        Raises:
            LabError: The lab is down, or the kernel refused something.
        """
        before = self.settings
        if before is not None and self._needs_building(before, settings):
            self.up(settings, plans)
            return
        # A pod remembers the packet size of a path for ten minutes.
        scripts({self.namespace(pod): "ip route flush cache\n" for pod in topology.PODS})
        for plan in plans.values():
            self._load_node(settings, plan)
        lasting = any(plan.identity_mark or plan.other_backend or plan.rewriting for plan in plans.values())
        STATE_FOLDER.mkdir(parents=True, exist_ok=True)
        self._state.write_text(json.dumps(asdict(replace(settings, lasting=lasting))))

    def _needs_building(self, before: Settings, wanted: Settings) -> bool:
        """Whether loading is not enough: for what only building changes, and a tunnel that has ended."""
        grounds = [(each.backend, each.kube) for each in (before, wanted)]
        nodes = [self.namespace(node.name) for node in topology.NODES]
        return before.lasting or grounds[0] != grounds[1] or not all(map(_helpers, nodes))

    def _load_node(self, settings: Settings, plan: Plan) -> None:
        name = self.namespace(plan.node.name)
        sysctls = (
            f"echo {value} > /proc/sys/{key.replace('.', '/')}" for key, value in network.sysctls(plan)
        )
        inside(name, "sh", "-e", stdin="\n".join(sysctls))
        batch(network.addresses(plan), name)
        batch(network.routes(plan), name)
        inside(name, "ipset", "-exist", "restore", stdin=rules.sets_text(plan))
        self._load_rules(settings, plan, name)
        inside(name, "conntrack", "-F")
        self._load_rare(settings, plan, name)

    def _load_rules(self, settings: Settings, plan: Plan, name: str) -> None:
        if settings.backend == NATIVE:
            inside(name, "iptables-nft-restore", stdin=rules.beside_native(plan).restore_text())
            inside(name, "nft", "-f", "-", stdin=rules.native_text(plan))
        else:
            inside(name, f"iptables-{settings.backend}-restore", stdin=rules.tables(plan).restore_text())

    def _load_rare(self, settings: Settings, plan: Plan, name: str) -> None:
        """What few faults have, and no healthy node."""
        if plan.other_backend:
            inside(name, f"iptables-{OTHER[settings.backend]}-restore", stdin=rules.other_backend(plan))
        if plan.identity_mark:
            marks = [f"{pod.interface}={pod.identity}" for pod in plan.node.cilium_pods]
            inside(name, sys.executable, "-m", "lab.identity_mark", *marks)
        if plan.conntrack_full:
            conntrack.fill(name)
        if plan.rewriting:
            words = ["lab.rewrite", settings.backend, plan.node.name, plan.kube, name, settings.fault or ""]
            self._start([(plan.node.name, words)])

    def _start(self, helpers: list[tuple[str, list[str]]]) -> None:
        """Starts helper programs of the lab in nodes' namespaces, and waits until each is ready."""
        STATE_FOLDER.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as log:
            started = [
                subprocess.Popen(
                    ["ip", "netns", "exec", self.namespace(node), sys.executable, "-m", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=PROJECT,
                    text=True,
                    start_new_session=True,
                )
                for node, words in helpers
            ]
        self._children += started
        for process in started:
            assert process.stdout
            if process.stdout.readline() != "ready\n":
                raise LabError(f"cannot start {process.args!r}: see {self._log}")

    def down(self) -> None:
        """Ends the lab's processes and removes its namespaces, those of a broken run too."""
        require_root()
        left = [name for name in self.namespaces if Path("/run/netns", name).exists()]
        for name in left:
            _end_helpers(name)
        for child in self._children:
            child.kill()
            child.communicate()
        self._children.clear()
        if left:
            batch(f"netns del {name}" for name in left)
        for file in (self._state, self._log):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another lab's state may be in it
            STATE_FOLDER.rmdir()


def require_root() -> None:
    """Refuses without root.

    Raises:
        LabError: Not root.
    """
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces: permission denied; run as root")


def _helpers(namespace: str) -> list[int]:
    """Process ids of what the lab has started in a namespace; what others run there is not among them."""
    return [int(word) for word in run("ip", "netns", "pids", namespace).split() if _is_helper(int(word))]


def _is_helper(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return b"-m\0lab." in Path("/proc", str(pid), "cmdline").read_bytes()
    return False


def _end_helpers(namespace: str) -> None:
    """Ends what the lab started in a namespace; what others run there is left alone."""
    for pid in _helpers(namespace):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                # Asked once more: by now the number may be another process's.
                if _is_helper(pid):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)
