from __future__ import annotations

import json

from calitop.formats import pods_json, pods_wide
from calitop.model.node import Pod
from tests.formats.shared_texts import SHARED, corpus

WIDE = """NAMESPACE     NAME        READY   STATUS     RESTARTS         AGE     IP         NODE     NOMINATED
kube-system   coredns-1   1/1     Running    1 (3h ago)       12d     10.0.0.5   n1       <none>
kube-system   pend        0/1     Pending    0                5s      <none>     <none>   <none>
default       v6          0/2     Init:0/2   12 (4m30s ago)   3d12h   fd00::1    n2       <none>
"""
PODS = (
    Pod("kube-system", "coredns-1", "10.0.0.5/32", "n1", status="Running"),
    Pod("kube-system", "pend", status="Pending"),
    Pod("default", "v6", "fd00::1/128", "n2", status="Init:0/2"),
)


def test_the_header_cuts_the_columns() -> None:
    assert pods_wide.looks_like(WIDE)
    fragment = pods_wide.parse(WIDE)
    assert (fragment.problems, fragment.pods) == ((), PODS)


def test_without_a_header_the_shape_tells() -> None:
    text = WIDE.split("\n", 1)[1]
    assert pods_wide.looks_like(text)
    assert pods_wide.parse(text).pods == PODS


def test_columns_may_be_missing() -> None:
    text = "default  a-1  1/1  Running  0  10.0.0.5  n1\n"
    assert pods_wide.parse(text).pods == (Pod("default", "a-1", "10.0.0.5/32", "n1", status="Running"),)


def test_without_its_column_the_namespace_is_unknown_or_told_by_the_command() -> None:
    header = "NAME    READY   STATUS    RESTARTS   AGE   IP         NODE\n"
    text = header + "web-0   1/1     Running   0          2d    10.0.0.5   n1\n"
    assert [pod.namespace for pod in pods_wide.parse(text).pods or ()] == [None]
    assert [pod.namespace for pod in pods_wide.parse(text, namespace="shop").pods or ()] == ["shop"]


def test_a_pod_that_was_pasted_twice_is_one_pod() -> None:
    assert pods_wide.parse(WIDE + WIDE).pods == PODS


def test_other_lines_are_reported() -> None:
    fragment = pods_wide.parse(WIDE + "No resources found\n")
    assert [problem.line for problem in fragment.problems] == [5]


def test_json_lists_pods_with_their_network() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "ns"},
        "spec": {"nodeName": "n1", "hostNetwork": True},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
        },
    }
    pending = {"kind": "Pod", "metadata": {"name": "b", "namespace": "ns"}, "spec": {}, "status": {}}
    node = {"kind": "Node", "metadata": {"name": "n1"}}
    text = json.dumps({"apiVersion": "v1", "items": [item, pending, node], "kind": "List"}, indent=4)
    assert pods_json.looks_like(text)
    fragment = pods_json.parse(text)
    assert fragment.pods == (
        Pod("ns", "a", "10.0.0.1/32", "n1", status="Running", host_network=True),
        Pod("ns", "b"),
    )
    assert len(fragment.problems) == 1


def test_a_list_of_nodes_is_no_list_of_pods() -> None:
    text = json.dumps(
        {"apiVersion": "v1", "items": [{"kind": "Node", "metadata": {"name": "n1"}}], "kind": "List"}
    )
    assert not pods_json.looks_like(text)


def test_the_captured_list_is_read_whole() -> None:
    corpus("README.md")
    fragment = pods_wide.parse((SHARED / "captures" / "pods.txt").read_text())
    assert fragment.problems == ()
    assert len(fragment.pods or ()) == 18
    assert sum(pod.node == "k8s-work2" for pod in fragment.pods or ()) == 9
