"""Folders and archives open as nodes with their moments; names, order, pods and the manifest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from calitop.cni.pods import interface_name
from calitop.errors import BadSnapshot
from calitop.model.node import NodeState
from calitop.snapshot.moments import NodeMoments
from calitop.snapshot.open import open_snapshots
from tests.formats.shared_texts import SHARED
from tests.snapshot.texts import (
    ADDRESSES,
    LEGACY_SAVE,
    LINKS_JSON,
    NODE,
    PLAIN_SAVE,
    PODS,
    ROUTE_N,
    ROUTES,
    RULES,
    SAVE,
    SYSCTL,
    folder,
    tar,
)


def one(path: Path) -> NodeState:
    (node,) = open_snapshots([str(path)])
    (state,) = node.moments
    return state


def rules_of(state: NodeState) -> int:
    return sum(len(chain.rules) for chain in state.chains().values())


def manifest(node: str = "named", at: str = "2026-01-01T00:00:00Z", **files: dict[str, object]) -> str:
    told = [
        {"file": name.replace("__", "."), "started_at": at, "error": None, **each}
        for name, each in files.items()
    ]
    return json.dumps(
        {"schema": 1, "node": node, "captured_at": at, "kernel": "6.1", "programs": {}, "files": told}
    )


# -- content, not names -----------------------------------------------------------------


def test_files_are_known_by_content(tmp_path: Path) -> None:
    state = one(folder(tmp_path / "n", {"a": SAVE, "b": ROUTES, "c": ADDRESSES, "d": SYSCTL, "e": RULES}))
    assert (rules_of(state), len(state.routes), len(state.links), len(state.ip_rules)) == (3, 4, 2, 3)
    assert [each.kind for each in state.files] == [
        "iptables-save",
        "ip route",
        "ip addr",
        "sysctl",
        "ip rule",
    ]


def test_every_file_is_listed_with_its_problems(tmp_path: Path) -> None:
    broken = SYSCTL + "this is not a setting\n"
    state = one(folder(tmp_path / "n", {"a": SAVE, "b": broken, "c": "prose\n", "d": b"\0\1\2", "e": ""}))
    told = {each.file: each for each in state.files}
    assert (told["b"].lines, [problem.line for problem in told["b"].problems]) == (3, [3])
    assert {name: told[name].kind for name in "cde"} == {"c": None, "d": None, "e": None}
    assert all(len(told[name].problems) == 1 for name in "cde")


def test_bytes_that_are_no_utf8_do_not_disturb(tmp_path: Path) -> None:
    state = one(folder(tmp_path / "n", {"a": SAVE.encode().replace(b"cali:abc", b"cali:\xe9bc")}))
    assert rules_of(state) == 3


@pytest.mark.parametrize("wrap", ["```\n{}```\n", "# iptables-save -c\n\n```\n{}```\n"])
def test_markdown_around_an_output_is_taken_off(tmp_path: Path, wrap: str) -> None:
    state = one(folder(tmp_path / "n", {"cmd/iptables-save--c.md": wrap.format(SAVE)}))
    assert rules_of(state) == 3


def test_a_readme_with_examples_is_prose(tmp_path: Path) -> None:
    readme = "# Notes\n\nThe rule that dropped it:\n\n```\n-A INPUT -j DROP\n```\nand\n" + "more prose\n" * 9
    state = one(folder(tmp_path / "n", {**NODE, "README.md": readme}))
    assert next(each.kind for each in state.files if each.file == "README.md") is None
    assert rules_of(state) == 3


def test_outputs_one_after_another_in_one_file(tmp_path: Path) -> None:
    state = one(folder(tmp_path / "n", {"all.txt": ROUTES + RULES + SAVE + ADDRESSES + ROUTE_N + SYSCTL}))
    assert (rules_of(state), len(state.routes), len(state.links), len(state.ip_rules)) == (3, 4, 2, 3)
    assert not state.files[0].problems


# -- nothing counted twice --------------------------------------------------------------


def test_the_richest_source_wins(tmp_path: Path) -> None:
    state = one(
        folder(
            tmp_path / "n",
            {"1": ROUTE_N, "2": ROUTES, "3": PLAIN_SAVE, "4": SAVE, "5": ADDRESSES, "6": LINKS_JSON},
        )
    )
    assert len(state.routes) == 4
    assert {route.proto for route in state.routes} == {"static", "bird", None}
    assert rules_of(state) == 3
    (ruleset,) = state.rulesets
    (table,) = ruleset.tables
    assert [rule.packets for rule in table.chains["INPUT"].rules] == [5]
    (_, eth0) = state.links
    assert (eth0.name, eth0.mtu, eth0.addresses) == ("eth0", 1500, ("192.0.2.11/24",))


def test_parts_of_one_kind_add_up(tmp_path: Path) -> None:
    nat = "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j RETURN\nCOMMIT\n"
    files = {"ip-route-list-table-DSL.txt": ROUTES, "ip-route.txt": ROUTES, "f": SAVE}
    state = one(folder(tmp_path / "n", {**files, "g": SAVE.splitlines()[0] + "\n" + nat}))
    assert sorted(route.table for route in state.routes) == ["DSL"] * 4 + ["main"] * 4
    assert [key.table for key, _ in state.tables()] == ["filter", "nat"]


def test_both_backends_are_kept_with_a_warning(tmp_path: Path) -> None:
    state = one(folder(tmp_path / "n", {"a": SAVE, "b": LEGACY_SAVE}))
    assert [each.backend for each in state.rulesets] == ["nft", "legacy"]
    assert any("both iptables backends" in warning for warning in state.warnings)


def test_tables_of_iptables_nft_are_not_doubled_by_the_nft_listing(tmp_path: Path) -> None:
    listing = (
        "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n"
        '\t\tiifname "lo" counter packets 5 bytes 420 accept\n\t}\n}\n'
        "table inet mine {\n\tchain first {\n\t\ttype filter hook input priority -5; policy accept;\n"
        "\t\tcounter packets 1 bytes 2 accept\n\t}\n}\n"
    )
    state = one(folder(tmp_path / "n", {"a": SAVE, "b": listing}))
    assert [(key.family, key.backend, key.table) for key, _ in state.tables()] == [
        ("ipv4", "nft", "filter"),
        ("inet", "native", "mine"),
    ]
    alone = one(folder(tmp_path / "m", {"b": listing}))
    assert [key.table for key, _ in alone.tables()] == ["filter", "mine"]


# -- manifest and empty files -----------------------------------------------------------


def test_an_empty_file_means_none_only_where_the_command_succeeded(tmp_path: Path) -> None:
    files = {"r.txt": ROUTES, "s.txt": "", "c.txt": ""}
    told = manifest(
        s__txt={"command": "ipset save", "status": 0},
        c__txt={"command": "conntrack -L", "status": 1, "error": "permission denied"},
    )
    state = one(folder(tmp_path / "n", {**files, "manifest.json": told}))
    listed = {each.file: each for each in state.files}
    assert (listed["s.txt"].kind, listed["s.txt"].problems) == ("ipset save", ())
    assert listed["c.txt"].kind == "conntrack -L"
    assert [problem.why for problem in listed["c.txt"].problems] == ["permission denied"]
    assert (state.name, state.captured_at, state.kernel) == ("named", "2026-01-01T00:00:00Z", "6.1")


def test_an_empty_file_without_manifest_is_named_by_its_name(tmp_path: Path) -> None:
    state = one(folder(tmp_path / "n", {"r.txt": ROUTES, "ip6tables-save-c.txt": ""}))
    assert {each.file: each.kind for each in state.files}["ip6tables-save-c.txt"] == "iptables-save"
    assert not state.rulesets


def test_what_could_not_be_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    told = manifest(i__txt={"command": "iptables-nft-save -c", "status": None, "error": "must be root"})
    state = one(folder(tmp_path / "n", {"r.txt": ROUTES, "manifest.json": told}))
    missing = next(each for each in state.files if each.file == "i.txt")
    assert (missing.kind, [problem.why for problem in missing.problems]) == (
        "iptables-save",
        ["must be root"],
    )


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    files = {**NODE, "manifest.json": '{"schema": 2, "files": []}'}
    with pytest.raises(BadSnapshot, match="schema 2"):
        one(folder(tmp_path / "n", files))


@pytest.mark.parametrize(
    "text", ["{", '{"schema": "x", "files": []}', '{"schema": 1, "files": 7}', '["schema"]']
)
def test_a_broken_manifest_is_no_obstacle(tmp_path: Path, text: str) -> None:
    assert rules_of(one(folder(tmp_path / "n", {**NODE, "manifest.json": text}))) == 3


# -- names and moments ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("below", "name"),
    [
        ("work1/before", "work1"),
        ("work1", "work1"),
        ("node-1/after", "node-1"),
        ("work1/20260101T101010Z", "work1"),
        ("work1/2026-01-01_10-10-10/cmd", "work1"),
        ("work1/diags-20260101_101010/diagnostics", "work1"),
        ("work1/1767225600", "work1"),
    ],
)
def test_the_nearest_folder_that_is_no_word_names_the_node(tmp_path: Path, below: str, name: str) -> None:
    folder(tmp_path / below, NODE)
    assert one(tmp_path).name == name
    assert one(tmp_path / below).name == name


def test_witnesses_of_the_name_in_their_order(tmp_path: Path) -> None:
    root = folder(tmp_path / "dir", {**NODE, "hostname.txt": "by-hostname\n"})
    assert one(root).name == "by-hostname"
    folder(root, {"shell.txt": f"root@by-prompt:~# ip rule\n{RULES}"})
    assert one(root).name == "by-prompt"
    folder(root, {"manifest.json": manifest("by-manifest")})
    assert one(root).name == "by-manifest"
    (node,) = open_snapshots([f"given={root}"])
    assert node.name == "given"


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    assert one(folder(tmp_path / "a=b", NODE)).name == "a=b"


def labels(nodes: list[NodeMoments]) -> dict[str | None, list[str]]:
    return {node.name: [Path(label).name for label in node.labels] for node in nodes}


def test_one_folder_may_hold_nodes_and_moments(tmp_path: Path) -> None:
    for path in ("work2/after", "work2/before", "work1/after", "work1/before"):
        folder(tmp_path / path, NODE)
    opened = open_snapshots([str(tmp_path)])
    assert labels(opened) == {"work1": ["before", "after"], "work2": ["before", "after"]}


def test_before_precedes_after_whatever_the_clocks_say(tmp_path: Path) -> None:
    folder(tmp_path / "w/after", {**NODE, "manifest.json": manifest("w", "2026-01-01T00:00:00Z")})
    folder(tmp_path / "w/before", {**NODE, "manifest.json": manifest("w", "2026-01-02T00:00:00Z")})
    assert labels(open_snapshots([str(tmp_path / "w/after"), str(tmp_path / "w/before")]))["w"] == [
        "before",
        "after",
    ]


def test_moments_are_in_order_of_time(tmp_path: Path) -> None:
    for hour, name in ((3, "x"), (1, "y"), (2, "z")):
        folder(tmp_path / name, {**NODE, "manifest.json": manifest("w", f"2026-01-01T0{hour}:00:00Z")})
    assert labels(open_snapshots([str(tmp_path)]))["w"] == ["y", "z", "x"]


def test_the_time_of_the_save_orders_but_is_not_shown_as_utc(tmp_path: Path) -> None:
    for hour in (5, 4):
        folder(tmp_path / f"w/{hour}", {"a": SAVE.replace("03:01:00", f"0{hour}:01:00")})
    (node,) = open_snapshots([str(tmp_path)])
    assert [Path(label).name for label in node.labels] == ["4", "5"]
    assert node.moments[0].captured_at is None


def test_file_times_order_when_nothing_else_does(tmp_path: Path) -> None:
    for name, at in (("one", 2000), ("two", 1000)):
        path = folder(tmp_path / name, {"r": ROUTES, "hostname": "w\n"})
        for each in path.iterdir():
            os.utime(each, (at, at))
    assert labels(open_snapshots([str(tmp_path)]))["w"] == ["two", "one"]


def test_parts_of_a_bundle_are_one_snapshot(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "sosreport-one",
        {
            "sos_commands/networking/ip_route_show_table_all": ROUTES,
            "sos_commands/networking/ip_-d_address": ADDRESSES,
            "sos_commands/kernel/sysctl_-a": SYSCTL,
            "hostname": "one\n",
        },
    )
    state = one(root)
    assert (state.name, len(state.routes), len(state.links), len(state.sysctls)) == ("one", 4, 2, 2)
    assert "sos_commands/kernel/sysctl_-a" in [each.file for each in state.files]


def test_logs_beside_a_snapshot_are_not_snapshots(tmp_path: Path) -> None:
    files = {f"diagnostics/{name}": text for name, text in NODE.items()}
    state = one(folder(tmp_path / "w", {**files, "diagnostics/logs/felix.log": "2026 INFO started\n"}))
    assert (state.name, rules_of(state)) == ("w", 3)


def test_facts_above_several_snapshots_are_named_and_not_used(tmp_path: Path) -> None:
    folder(tmp_path / "c", {"stray.txt": SYSCTL, "w1/r": ROUTES, "w2/r": ROUTES})
    for node in open_snapshots([str(tmp_path / "c")]):
        assert not node.moments[0].sysctls
        assert [each.file for each in node.moments[0].files if each.note] == ["../stray.txt"]


# -- pods -------------------------------------------------------------------------------


def test_a_pod_list_above_is_for_the_nodes_that_it_fits(tmp_path: Path) -> None:
    folder(
        tmp_path / "c", {"pods.txt": PODS, "one/r": ROUTES, "k8s-two/r": "default via 192.0.2.1 dev eth0\n"}
    )
    folder(tmp_path / "c", {"three/r": "default via 192.0.2.9 dev eth0\n"})
    states = {node.name: node.moments[0] for node in open_snapshots([str(tmp_path / "c")])}
    assert {name: len(state.pods) for name, state in states.items()} == {"one": 2, "k8s-two": 2, "three": 0}
    assert [pod.interface for pod in states["one"].pods] == ["cali0a1b2c3d4e5", None]


def test_the_operators_list_is_taken_as_it_is(tmp_path: Path) -> None:
    root = folder(tmp_path / "w", NODE)
    pods = folder(tmp_path, {"list": PODS}) / "list"
    (node,) = open_snapshots([str(root)], pods)
    assert len(node.moments[0].pods) == 2
    with pytest.raises(BadSnapshot, match="no pod list"):
        open_snapshots([str(root)], root / "rules.txt")


# -- refusals ---------------------------------------------------------------------------


FOLDERS = "default_logged-0_0d3a1b2c-1111-2222-3333-444455556666\n"
LOGGED = interface_name("default", "logged-0")


def test_log_folders_name_pods_beside_a_list(tmp_path: Path) -> None:
    """They are of their own node, and no list for others."""
    routes = f"10.0.0.5 dev {LOGGED} scope link\n"
    files = {"pods.txt": PODS, "one/r": ROUTES + routes, "one/log-pods.txt": FOLDERS, "two/r": ROUTES}
    states = {node.name: node.moments[0] for node in open_snapshots([str(folder(tmp_path / "c", files))])}
    assert [(pod.name, pod.interface, pod.ip) for pod in states["one"].pods][-1] == (
        "logged-0",
        LOGGED,
        "10.0.0.5/32",
    )
    assert len(states["one"].pods) == len(states["two"].pods) + 1 == 3


def test_a_listing_of_log_folders_is_a_list_where_the_operator_gives_it(tmp_path: Path) -> None:
    root = folder(tmp_path / "s", {"r": f"10.0.0.5 dev {LOGGED} scope link\n"})
    listing = folder(tmp_path, {"listing": FOLDERS}) / "listing"
    (pod,) = open_snapshots([str(root)], listing)[0].moments[0].pods
    assert (pod.namespace, pod.name, pod.interface, pod.ip) == ("default", "logged-0", LOGGED, "10.0.0.5/32")


def test_what_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "prose.txt").write_text("nothing of a node\n")
    for path in ("missing", "empty", "prose.txt"):
        with pytest.raises(BadSnapshot, match=path):
            open_snapshots([str(tmp_path / path)])


def test_links_that_lead_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = folder(tmp_path / "else", {"rules": SAVE}) / "rules"
    root = folder(tmp_path / "w", {"r": ROUTES})
    (root / "rules").symlink_to(secret)
    (root / "again").symlink_to(root / "r")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    state = one(root)
    assert (rules_of(state), len(state.routes)) == (0, 4)
    assert {each.file: each.problems[0].why for each in state.files if each.problems} == {
        "rules": "a link that leads out of the folder; not followed",
        "pipe": "not a regular file",
    }


def test_a_half_written_save_is_passed_over(tmp_path: Path) -> None:
    folder(tmp_path / "c", {"w/r": ROUTES, ".calitop-save-x/r": ROUTES})
    assert len(open_snapshots([str(tmp_path / "c")])) == 1


def test_an_archive_opens_as_its_folder_does(tmp_path: Path) -> None:
    files = {
        f"{node}/{moment}/{name}": text
        for node in ("w1", "w2")
        for moment in ("before", "after")
        for name, text in NODE.items()
    }
    folder(tmp_path / "c", files)
    (tmp_path / "c.tar.gz").write_bytes(tar(files))
    plain, packed = open_snapshots([str(tmp_path / "c")]), open_snapshots([str(tmp_path / "c.tar.gz")])
    assert labels(plain) == labels(packed) == {"w1": ["before", "after"], "w2": ["before", "after"]}


# -- the captures -----------------------------------------------------------------------

CAPTURES = SHARED / "captures"
needs_captures = pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not beside the project")


@needs_captures
def test_the_captures_open_whole() -> None:
    nodes = {node.name: node for node in open_snapshots([str(CAPTURES)])}
    assert set(nodes) == {"work1", "work2"}
    assert {len(node.moments) for node in nodes.values()} == {6}
    for case in ("baseline", "baseline.legacy", "rpf-tunl0-1"):
        opened = open_snapshots([str(CAPTURES / case)])
        assert labels(opened) == {"work1": ["before", "after"], "work2": ["before", "after"]}


@needs_captures
@pytest.mark.parametrize("case", ["baseline", "baseline.legacy", "rpf-tunl0-1"])
@pytest.mark.parametrize("below", ["work1/before", "work1/after", "work2/before", "work2/after"])
def test_each_capture_opens_with_the_right_figures(case: str, below: str) -> None:
    state = one(CAPTURES / case / below)
    backend = "legacy" if case.endswith("legacy") else "nft"
    counts = {
        table.name: sum(len(chain.rules) for chain in table.chains.values())
        for ruleset in state.rulesets
        for table in ruleset.tables
    }
    assert counts == {"filter": 222, "nat": 28, "mangle": 14, "raw": 18}
    assert {ruleset.backend for ruleset in state.rulesets} == {backend}
    assert (len(state.routes), len(state.links), len(state.sets)) == (27, 16, 7)
    assert not [each for each in state.files if each.kind is None or each.problems]


def test_the_files_of_several_greps_add_up(tmp_path: Path) -> None:
    """Each holds other rules of the same table; a rule that two of them hold counts once."""
    one_grep = "\n".join(
        f"-A cali-fw-cali0a1b2c3d4e5 -p tcp -m tcp --dport {port} -j DROP" for port in (1, 2)
    )
    other = f"{one_grep.splitlines()[1]}\n-A cali-INPUT -p ipencap -j DROP\n"
    state = one(folder(tmp_path / "n", {"grep-a": one_grep + "\n", "grep-b": other, "routes": ROUTES}))
    assert rules_of(state) == 3
    assert {chain.complete for chain in state.chains().values()} == {False}
