"""Which pod is behind which interface, by what source, and what is said where sources disagree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.cni.pod_identity import with_identities
from calitop.cni.pods import interface_name, pods_by_address
from calitop.model.network import Link, Neighbour, Route
from calitop.model.node import Known, NodeState, Pod, PodSign

WEB = interface_name("default", "web-0")
LXC = "lxc0123456789ab"
UID = "0d3a1b2c-1111-2222-3333-444455556666"
Names = tuple[tuple[str, str], ...]
LOG = PodSign("log folder", f"/var/log/pods/default_web-0_{UID}", "default", "web-0", UID)
LINKS = (
    Link("lo", 1),
    Link(WEB, 5, "veth", peer_index=2, peer_netns=0),
    Link(LXC, 6, "veth", peer_index=2, peer_netns=1),
)


def space(number: int | None, *addresses: str, uid: str | None = None, hostnames: Names = ()) -> PodSign:
    sign = PodSign("namespace", f"network namespace of process {number} (x)", space=number)
    return replace(sign, addresses=addresses, ends=((2, None),), uid=uid, hostnames=hostnames)


def endpoint(name: str, interface: str = LXC, *addresses: str) -> PodSign:
    return PodSign("cilium state", "/var/run/cilium/state/7", "default", name, None, addresses, interface)


def state(*signs: PodSign, pods: tuple[Pod, ...] = (), routes: tuple[Route, ...] = ()) -> NodeState:
    return with_identities(NodeState(name="n", links=LINKS, pods=pods, pod_signs=signs, routes=routes))


def route(address: str, dev: str) -> Route:
    return Route("ipv4", f"{address}/32", dev=dev, scope="link")


def sources(pod: Pod, what: str) -> list[str]:
    return [known.source for known in pod.known_from if known.what == what]


def test_a_log_folder_names_the_pod_whose_hash_an_interface_has() -> None:
    found = state(LOG, routes=(route("10.0.0.5", WEB),))
    assert found.pods == (Pod("default", "web-0", "10.0.0.5/32", "n", WEB, uid=UID),)
    assert sources(found.pods[0], "name") == [LOG.source]
    assert sources(found.pods[0], "interface") == ["the hash of default.web-0 in its name"]
    assert sources(found.pods[0], "address") == [f"route at {WEB}"]
    assert not found.warnings


def test_a_log_folder_of_a_pod_that_has_ended_claims_nothing() -> None:
    found = state(replace(LOG, name="gone"))
    assert [(pod.name, pod.interface, pod.ip) for pod in found.pods] == [("gone", None, None)]


def test_ciliums_state_names_the_pod_behind_its_interface() -> None:
    found = state(endpoint("db", LXC, "10.0.0.7/32"))
    assert found.pods == (Pod("default", "db", "10.0.0.7/32", "n", LXC),)
    assert sources(found.pods[0], "interface") == ["/var/run/cilium/state/7"]


def test_an_endpoint_whose_interface_is_gone_is_not_believed() -> None:
    listed = Pod("default", "db", "10.0.0.7/32", "n")
    assert state(endpoint("db", "lxcffffffffffff")).pods == ()
    found = state(endpoint("db", "lxcffffffffffff"), pods=(listed,))
    assert found.pods == (listed,)
    assert found.pods[0].remarks == ("/var/run/cilium/state/7 says lxcffffffffffff, which is not here",)


def test_a_namespace_leads_from_a_listed_address_to_the_interface() -> None:
    found = state(space(1, "10.0.0.7/32"), pods=(Pod("default", "db", "10.0.0.7/32", "n"),))
    assert found.pods[0].interface == LXC
    assert "its address in the network namespace of process 1" in sources(found.pods[0], "interface")[0]


def test_the_pod_uid_of_a_control_group_finds_the_log_folder() -> None:
    log = replace(LOG, name="db")
    found = state(log, space(1, "10.0.0.7/32", uid=UID))
    assert found.pods == (Pod("default", "db", "10.0.0.7/32", "n", LXC, uid=UID),)
    assert "the pod UID in the control group" in sources(found.pods[0], "interface")[0]


def test_a_host_name_is_proven_by_the_hash_in_the_interface() -> None:
    found = state(space(0, "10.0.0.5/32", hostnames=(("web-0", "/etc/hostname"),)))
    assert found.pods == (Pod("default", "web-0", "10.0.0.5/32", "n", WEB),)
    assert "proven by the hash" in sources(found.pods[0], "name")[0]


def test_a_host_name_alone_is_told_as_what_it_is() -> None:
    found = state(space(1, "10.0.0.7/32", hostnames=(("db", "HOSTNAME"),)))
    assert found.pods == (Pod(None, "db", "10.0.0.7/32", "n", LXC),)
    assert "a pod may choose another" in sources(found.pods[0], "name")[0]


def test_a_container_that_is_no_workload_is_no_pod() -> None:
    links = (Link("veth12ab", 5, "veth", peer_index=2, peer_netns=0),)
    sign = space(0, "172.17.0.2/32", hostnames=(("0123456789ab", "/etc/hostname"),))
    assert with_identities(NodeState(links=links, pod_signs=(sign,))).pods == ()


def test_the_neighbour_table_tells_the_interface_and_the_address() -> None:
    at = Neighbour("10.0.0.7", LXC, "02:00:00:00:00:07", ("STALE",))
    pods = (Pod("default", "db", "10.0.0.7/32", "n"),)
    found = with_identities(NodeState(links=LINKS, neighbours=(at,), pods=pods))
    assert found.pods[0].interface == LXC
    logged = with_identities(
        NodeState(name="n", links=LINKS, neighbours=(replace(at, dev=WEB),), pod_signs=(LOG,))
    )
    assert logged.pods[0].ip == "10.0.0.7/32"


@pytest.mark.parametrize("kind", ["FAILED", "INCOMPLETE"])
def test_who_did_not_answer_is_not_at_the_interface(kind: str) -> None:
    asked = Neighbour("10.0.0.7", LXC, "02:00:00:00:00:07", (kind,))
    pods = (Pod("default", "db", "10.0.0.7/32", "n"),)
    assert with_identities(NodeState(links=LINKS, neighbours=(asked,), pods=pods)).pods[0].interface is None


def test_indexes_alone_prove_no_end_since_they_repeat() -> None:
    sign = replace(space(None, "10.0.0.7/32"), ends=((2, 6),), hostnames=(("db", "HOSTNAME"),))
    assert state(sign).pods == ()
    assert state(sign, routes=(route("10.0.0.7", LXC),)).pods[0].interface == LXC


def test_a_finished_pod_does_not_keep_an_address_that_another_has_now() -> None:
    done = Pod("default", "job", "10.0.0.7/32", "n", status="Completed")
    runs = Pod("default", "db", "10.0.0.7/32", "n", status="Running")
    for pods in ((done, runs), (runs, done)):
        found = state(pods=pods, routes=(route("10.0.0.7", LXC),))
        assert {pod.name: pod.interface for pod in found.pods} == {"job": None, "db": LXC}
        assert pods_by_address(found.pods) == {"10.0.0.7": found.pods[pods.index(runs)]}
        assert not found.warnings


# -- sources that disagree


def test_the_kernels_address_is_taken_before_the_lists_and_the_difference_is_told() -> None:
    pods = (Pod("default", "web-0", "10.0.0.99/32", "n", status="Running"),)
    found = state(space(0, "10.0.0.5/32"), pods=pods, routes=(route("10.0.0.5", WEB),))
    assert (found.pods[0].ip, found.pods[0].interface) == ("10.0.0.5/32", WEB)
    assert found.pods[0].conflicts == (
        "its address is 10.0.0.5 by the network namespace of process 0 (x), "
        "but 10.0.0.99 by the list of pods",
    )
    assert found.warnings == (f"pod default/web-0: {found.pods[0].conflicts[0]}",)


def test_a_route_does_not_overrule_the_list_but_the_difference_is_told() -> None:
    pods = (Pod("default", "web-0", "10.0.0.99/32", "n", status="Running"),)
    found = state(pods=pods, routes=(route("10.0.0.5", WEB),))
    assert found.pods[0].ip == "10.0.0.99/32"
    assert found.pods[0].conflicts == (
        f"its address is 10.0.0.5 by the route at {WEB}, but 10.0.0.99 by the list of pods",
    )


def test_a_pod_with_addresses_of_both_families_is_no_contradiction() -> None:
    pods = (Pod("default", "web-0", "10.0.0.5/32", "n"),)
    assert not state(space(0, "fd00::5/128", "10.0.0.5/32"), pods=pods).warnings
    assert not state(space(0, "fd00::5/128"), pods=pods).warnings


def test_the_hash_is_surer_than_a_route_that_leads_elsewhere() -> None:
    pods = (Pod("default", "web-0", "10.0.0.5/32", "n", status="Running"),)
    found = state(pods=pods, routes=(route("10.0.0.5", LXC),))
    assert found.pods[0].interface == WEB
    assert f"leads to {WEB}, but the route to 10.0.0.5 to {LXC}" in found.pods[0].conflicts[0]


def test_control_group_against_ciliums_state_is_told_at_both_pods() -> None:
    found = state(replace(LOG, name="db"), endpoint("cache"), space(1, "10.0.0.7/32", uid=UID))
    by_name = {pod.name: pod for pod in found.pods}
    assert by_name["db"].interface == LXC
    assert by_name["cache"].interface is None
    for pod in found.pods:
        assert "by the pod UID in its control group" in pod.conflicts[0]


def test_a_list_that_puts_the_pod_elsewhere_is_contradicted_by_its_interface() -> None:
    pods = (Pod("default", "web-0", "10.0.0.5/32", "m"), Pod("default", "b", "10.0.0.8/32", "n"))
    found = state(pods=pods)
    assert found.pods[0].conflicts == (f"the list puts it on m, but {WEB} is here on n",)


def test_another_host_name_is_told_and_contradicts_nothing() -> None:
    found = state(LOG, space(0, "10.0.0.5/32", hostnames=(("own-name", "HOSTNAME"),)))
    assert found.pods[0].name == "web-0" and not found.warnings
    assert "HOSTNAME says own-name" in found.pods[0].remarks[0]


def test_a_second_time_changes_nothing() -> None:
    signs = (LOG, endpoint("db", LXC, "10.0.0.7/32"), space(0, "10.0.0.5/32"), space(1, "10.0.0.8/32"))
    pods = (Pod("default", "web-0", "10.0.0.99/32", "m"), Pod("default", "b", "10.0.0.7/32", "n"))
    once = state(*signs, pods=pods)
    again = with_identities(once)
    assert again.pods == once.pods and again.warnings == once.warnings
    assert [pod.known_from for pod in again.pods] == [pod.known_from for pod in once.pods]
    assert Known("name", LOG.source) in again.pods[0].known_from
