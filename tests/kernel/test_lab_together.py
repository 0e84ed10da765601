"""Which faults can be loaded at once. Needs no kernel."""

from __future__ import annotations

import contextlib

import pytest

from lab import together
from lab.faults import BY_NAME, CALICO1, named
from lab.plan import healthy
from lab.shell import LabError


def test_both_faults_are_in_the_plan() -> None:
    """Settings add up, and each fault's own part is there."""
    plans = together.plans(named("rpf-both+rpf-loosened+policy-denies"), "ipvs")
    assert plans["work1"].policy_on == CALICO1
    assert dict(plans["work1"].sysctls) == {
        "net.ipv4.conf.tunl0.rp_filter": "1",
        "net.ipv4.conf.all.rp_filter": "2",
    }
    assert plans["work2"] == BY_NAME["rpf-both"].plans()["work2"]


def test_no_fault_is_healthy() -> None:
    """The plans without a fault are the healthy ones."""
    assert together.plans([], "iptables") == healthy("iptables")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("rpf-all-1+rpf-loosened", "both set net.ipv4.conf.all.rp_filter of work1"),
        ("blackhole-sender+no-route", "both set the route to 10.222.219.0/24 of work2"),
        ("peer-missing-sender+rpf-sender", None),
        ("route-back+blackhole", None),
    ],
)
def test_what_contradicts_is_refused(names: str, why: str | None) -> None:
    """Two values of one setting, or two ways to one destination, cannot be had; different parts can."""
    with pytest.raises(LabError, match=why) if why else contextlib.nullcontext():
        together.plans(named(names), "ipvs")


def test_style_of_kube_proxy() -> None:
    """The style that a fault needs wins; two that differ cannot be had."""
    assert together.kube_proxy(named("kube-invalid+rpf-both"), "ipvs") == "iptables"
    assert together.kube_proxy(named("rpf-both"), "iptables") == "iptables"
    with pytest.raises(LabError, match="different styles"):
        together.kube_proxy(named("kube-invalid+identity-mark"), "ipvs")
