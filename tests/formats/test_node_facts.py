from __future__ import annotations

import pytest

from calitop.formats import cni_listing, node_date, node_hostname, node_uname


def test_uname_tells_name_and_release() -> None:
    text = "Linux k8s-work2 6.1.0-13-amd64 #1 SMP Debian 6.1.55-1 (2023-09-29) x86_64 GNU/Linux\n"
    assert node_uname.looks_like(text)
    fragment = node_uname.parse(text)
    assert (fragment.node_name, fragment.kernel) == ("k8s-work2", "6.1.0-13-amd64")


def test_one_word_is_a_host_name_only_where_something_else_says_so() -> None:
    assert not node_hostname.looks_like("k8s-work2\n")
    assert node_hostname.parse("k8s-work2\n").node_name == "k8s-work2"
    fragment = node_hostname.parse("hostname: command not found\n")
    assert (fragment.node_name, len(fragment.problems)) == (None, 1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon Nov 23 11:29:21 UTC 2026", "2026-11-23T11:29:21Z"),
        ("Mon Nov  2 11:29:21 UTC 2026", "2026-11-02T11:29:21Z"),
        ("Mon Nov 23 12:29:21 AM UTC 2026", "2026-11-23T00:29:21Z"),
        ("Mon, 23 Nov 2026 11:29:21 +0100", "2026-11-23T10:29:21Z"),
        ("2026-11-23T11:29:21Z", "2026-11-23T11:29:21Z"),
        ("2026-11-23 01:29:21.123456 +08:00", "2026-11-22T17:29:21Z"),
        ("Mon Nov 23 11:29:21 CEST 2026", None),
    ],
)
def test_a_date_is_given_in_utc_or_not_at_all(text: str, moment: str | None) -> None:
    assert node_date.looks_like(text)
    assert node_date.parse(text).captured_at == moment


@pytest.mark.parametrize(
    "text",
    [
        "total 16\ndrwx------ 2 root root 4096 Nov  3 10:12 .\ndrwxr-xr-x 3 root root 4096 Nov  3 10:12 ..\n"
        "-rw------- 1 root root  190 Nov  3 10:12 05-cilium.conflist\n"
        "-rw-r--r-- 1 root root  807 Nov  3 10:11 10-calico.conflist.cilium_bak\n"
        "-rw------- 1 root root 2800 Nov  3  2025 calico-kubeconfig\n",
        "05-cilium.conflist\n10-calico.conflist.cilium_bak\ncalico-kubeconfig\n",
        "05-cilium.conflist  10-calico.conflist.cilium_bak  calico-kubeconfig\n",
        "/etc/cni/net.d/05-cilium.conflist\n/etc/cni/net.d/10-calico.conflist.cilium_bak\n"
        "/etc/cni/net.d/calico-kubeconfig\n",
    ],
)
def test_a_listing_names_the_files(text: str) -> None:
    assert cni_listing.looks_like(text)
    fragment = cni_listing.parse(text)
    assert fragment.problems == ()
    assert fragment.cni_configs == (
        "05-cilium.conflist",
        "10-calico.conflist.cilium_bak",
        "calico-kubeconfig",
    )


def test_an_error_is_not_an_empty_folder() -> None:
    fragment = cni_listing.parse("ls: cannot access '/etc/cni/net.d': No such file or directory\n")
    assert (fragment.cni_configs, len(fragment.problems)) == (None, 1)
