"""What the node itself tells of its pods: log folders, Cilium's state, network namespaces."""

from __future__ import annotations

import base64
import json

import pytest

from calitop.formats import cilium_state, cni_listing, log_folders, pod_namespaces
from calitop.formats.fragment import NOTE, Fragment
from calitop.model.node import PodSign
from calitop.snapshot.recognise import recognise

UID = "0d3a1b2c-1111-2222-3333-444455556666"
STATIC = "a" * 32
FOLDERS = f"default_web-0_{UID}\nkube-system_etcd-k8s-work2_{STATIC}\n"


def signs(fragment: Fragment) -> tuple[PodSign, ...]:
    assert fragment.pod_signs is not None
    return fragment.pod_signs


@pytest.mark.parametrize(
    "text",
    [
        FOLDERS,
        FOLDERS.replace("\n", "  "),
        f"/var/log/pods:\n{FOLDERS}",
        "".join(f"/var/log/pods/{line}/\n" for line in FOLDERS.split()),
        "total 0\n" + "".join(f"drwxr-xr-x 3 root root 60 Dec  1 02:43 {x}\n" for x in FOLDERS.split()),
    ],
)
def test_log_folders_name_pods_however_they_are_listed(text: str) -> None:
    reading = recognise(text)
    assert (reading.kind, reading.fragment.problems) == (log_folders.KIND, ())
    told = [(sign.namespace, sign.name, sign.uid) for sign in signs(reading.fragment)]
    assert told == [("default", "web-0", UID), ("kube-system", "etcd-k8s-work2", STATIC)]


def test_what_is_no_log_folder_is_a_problem() -> None:
    fragment = log_folders.parse(FOLDERS + "lost+found\n")
    assert [problem.line for problem in fragment.problems] == [3]
    assert len(signs(fragment)) == 2


def test_other_listings_are_not_taken_for_log_folders() -> None:
    for text in ("10-calico.conflist\n", "a_b_c\n", "default_web-0_notauid\n"):
        assert not log_folders.looks_like(text)
    assert recognise("10-calico.conflist\n").kind == cni_listing.KIND


ENDPOINT = {
    "ID": 1234,
    "dockerID": "abc",
    "IfName": "lxc0123456789ab",
    "IfIndex": 7,
    "IPv4": "10.0.0.5",
    "IPv6": "fd00::5",
    "K8sPodName": "web-0",
    "K8sNamespace": "default",
    "OpLabels": {"secret": "label"},
    "DNSHistory": ["asked.example"],
}
SIGN = PodSign(
    "cilium state",
    "/var/run/cilium/state/1234",
    "default",
    "web-0",
    addresses=("10.0.0.5/32", "fd00::5/128"),
    interface="lxc0123456789ab",
)


def header() -> str:
    coded = base64.b64encode(json.dumps(ENDPOINT).encode()).decode()
    return f" * CILIUM_BASE64_eyJ9:{coded}"


@pytest.mark.parametrize(
    "line",
    [
        f"/var/run/cilium/state/1234/ep_config.json:{json.dumps(ENDPOINT)}",
        f"/var/run/cilium/state/1234/ep_config.h:{header()}",
        f"/var/run/cilium/state/1234/lxc_config.h:{header()}",
        f"1234/ep_config.h:{header()}",
    ],
)
def test_an_endpoint_is_read_from_either_of_ciliums_files(line: str) -> None:
    reading = recognise(line + "\n")
    assert (reading.kind, reading.fragment.problems) == (cilium_state.KIND, ())
    assert signs(reading.fragment) == (SIGN,)


def test_of_an_endpoint_only_what_tells_the_pod_is_kept() -> None:
    text = f"/var/run/cilium/state/1234/ep_config.h:{header()}\n# cannot read '/x'\nother\n"
    kept = cilium_state.reduced(text)
    assert "secret" not in kept and "asked.example" not in kept and "CILIUM_BASE64_" not in kept
    assert kept.endswith("# cannot read '/x'\n")
    assert signs(cilium_state.parse(kept)) == (SIGN,)


def test_endpoints_without_a_pod_and_temporary_ones_tell_nothing() -> None:
    host = json.dumps({"ID": 1, "IfName": "cilium_host"})
    text = (
        f"/var/run/cilium/state/1/ep_config.json:{host}\n"
        f"/var/run/cilium/state/1234_next/ep_config.h:{header()}\n"
        "/var/run/cilium/state/9/ep_config.h: * CILIUM_BASE64_x:!!!\n"
    )
    fragment = cilium_state.parse(text)
    assert not fragment.pod_signs
    assert [problem.line for problem in fragment.problems] == [3]


SPACES = f"""{pod_namespaces.HEAD}
netns 4026532345 id 3
 process 812 pause
 cgroup 0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace("-", "_")}.slice/x
 address 127.0.0.1 at 1
 address 10.0.0.5 at 2
 address fe80::1 at 2
netns 4026532345 id 3
 process 900 nginx
 hostname other from HOSTNAME
 hostname web-0 from /etc/hostname
netns 4026532400
 process 7 sh
 address 10.0.0.6/32
 inet6 fd000000000000000000000000000006 02 40 00 80 eth0
 device 2 eth0 peer 9
netns 4026532401 id 4
 named /run/netns/cni-1
# processes not looked at: 2, permission denied
# note: processes that even root may not look at: 1
"""


def test_namespaces_tell_addresses_ends_and_whose_they_are() -> None:
    reading = recognise(SPACES)
    assert reading.kind == pod_namespaces.KIND
    assert [problem.why for problem in reading.fragment.problems] == [
        "processes not looked at: 2, permission denied"
    ]
    assert reading.fragment.extra[NOTE] == "processes that even root may not look at: 1"
    pod, other, named = signs(reading.fragment)
    assert pod.source == "network namespace of process 812 (pause), 900 (nginx)"
    assert (pod.uid, pod.space, pod.addresses, pod.ends) == (UID, 3, ("10.0.0.5/32",), ((2, None),))
    assert pod.hostnames == (("web-0", "/etc/hostname"), ("other", "HOSTNAME"))
    assert (other.space, other.addresses) == (None, ("10.0.0.6/32", "fd00::6/128"))
    assert other.ends == ((2, 9),)
    assert named.source == "network namespace /run/netns/cni-1"


def test_no_namespaces_are_a_statement_too() -> None:
    reading = recognise(f"{pod_namespaces.HEAD}\n")
    assert (reading.kind, reading.fragment.pod_signs, reading.fragment.problems) == (
        pod_namespaces.KIND,
        (),
        (),
    )


def test_where_nothing_may_be_looked_at_that_is_said() -> None:
    reading = recognise(f"{pod_namespaces.HEAD}\n# processes not looked at: 9, permission denied\n")
    assert reading.kind == pod_namespaces.KIND
    assert reading.fragment.extra[NOTE] == "processes not looked at: 9, permission denied"


def test_a_namespace_that_several_pods_share_is_a_problem_and_nobodys() -> None:
    text = "".join(f"netns 1\n process {n} x\n cgroup 0::/kubepods/pod{n}{UID[1:]}/c\n" for n in (1, 2))
    fragment = pod_namespaces.parse(text)
    assert [sign.uid for sign in signs(fragment)] == [None]
    assert "several pods share it" in fragment.problems[0].why
