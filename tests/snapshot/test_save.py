"""A snapshot is written whole or not at all, for its owner only, and opens as what was captured."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitop.model.node import NodeState
from calitop.report.show import show_json
from calitop.snapshot import save as saving
from calitop.snapshot.open import open_snapshots
from calitop.snapshot.save import CannotSave, save
from tests.snapshot.texts import ADDRESSES, ROUTES, RULES, SAVE, SYSCTL


@dataclass(frozen=True)
class Answer:
    file: str
    command: str
    text: str = ""
    status: int | None = 0
    started_at: str = "2026-01-01T00:00:00Z"
    error: str | None = None
    asked: bool = True
    empty: bool = False


NODE = (
    Answer("hostname.txt", "hostname", "k8s-one\n"),
    Answer("uname.txt", "uname -a", "Linux k8s-one 6.1.0-9-amd64 #1 SMP x86_64 GNU/Linux\n"),
    Answer("iptables-nft-save.txt", "iptables-nft-save -c", SAVE),
    Answer("ip-route.txt", "ip route show table all", ROUTES),
    Answer("ip-addr.txt", "ip addr", ADDRESSES),
    Answer("sysctl.txt", "sysctl -a", SYSCTL),
    Answer("ipset-save.txt", "ipset save"),
    Answer("conntrack-L.txt", "conntrack -L", status=1, error="permission denied"),
    Answer(
        "iptables-legacy-save.txt", "iptables-legacy-save -c", status=None, error="no tables", asked=False
    ),
)


def one(path: Path) -> NodeState:
    (node,) = open_snapshots([str(path)])
    return node.moments[0]


@pytest.mark.parametrize("name", ["snap", "snap.tar.gz"])
def test_what_is_saved_opens_again(tmp_path: Path, name: str) -> None:
    save(NODE, tmp_path / name)
    state = one(tmp_path / name)
    assert (state.name, state.kernel, state.captured_at) == (
        "k8s-one",
        "6.1.0-9-amd64",
        "2026-01-01T00:00:00Z",
    )
    assert (len(state.routes), len(state.links), len(state.sysctls)) == (4, 2, 2)
    told = {each.file: each for each in state.files}
    assert [problem.why for problem in told["conntrack-L.txt"].problems] == ["permission denied"]
    assert (told["iptables-legacy-save.txt"].note, told["iptables-legacy-save.txt"].problems) == (
        "no tables",
        (),
    )
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_folder_and_a_file_tell_the_same(tmp_path: Path) -> None:
    save(NODE, tmp_path / "snap")
    save(NODE, tmp_path / "snap.tar.gz")
    assert show_json(one(tmp_path / "snap")) == show_json(one(tmp_path / "snap.tar.gz"))


def test_the_manifest_is_as_laid_down(tmp_path: Path) -> None:
    save(NODE, tmp_path / "snap", {"iptables": "v1.8.9"})
    told = json.loads((tmp_path / "snap/manifest.json").read_text())
    assert {key: told[key] for key in ("schema", "node", "captured_at", "kernel", "programs")} == {
        "schema": 1,
        "node": "k8s-one",
        "captured_at": "2026-01-01T00:00:00Z",
        "kernel": "6.1.0-9-amd64",
        "programs": {"iptables": "v1.8.9"},
    }
    assert told["files"][2] == {
        "file": "iptables-nft-save.txt",
        "command": "iptables-nft-save -c",
        "status": 0,
        "started_at": "2026-01-01T00:00:00Z",
        "error": None,
    }
    assert (tmp_path / "snap/iptables-nft-save.txt").read_text() == SAVE
    assert not (tmp_path / "snap/conntrack-L.txt").exists()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        save(NODE, tmp_path / "snap")
        save(NODE, tmp_path / "snap.tar.gz")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "snap").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "snap").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "snap.tar.gz").stat().st_mode) == 0o600
    with tarfile.open(tmp_path / "snap.tar.gz") as archive:
        assert {member.mode for member in archive} == {0o600}


@pytest.mark.parametrize("name", ["snap", "snap.tar.gz"])
def test_an_existing_destination_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(CannotSave, match="exists"):
        save(NODE, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_no_folder_for_it_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match="no folder"):
        save(NODE, tmp_path / "a/b")


@pytest.mark.parametrize("name", ["snap", "snap.tar.gz"])
def test_a_file_system_without_unnamed_files_will_do(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    save(NODE, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert len(one(tmp_path / name).routes) == 4


@pytest.mark.parametrize("name", ["snap", "snap.tar.gz"])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(text: str) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "_encoded", full)
    with pytest.raises(CannotSave, match="No space"):
        save(NODE, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["snap", "snap.tar.gz"])
def test_a_kill_leaves_nothing_after_the_next_save(tmp_path: Path, name: str) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from calitop.snapshot import save as s; from tests.snapshot.test_save import NODE\n"
        "texts = iter(range(5))\n"
        "encoded = s._encoded\n"
        "def last(text):\n"
        "    if next(texts) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return encoded(text)\n"
        "s._encoded = last\n"
        "s.save(NODE, Path(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=False)
    assert done.returncode == -9
    assert not (tmp_path / name).exists()
    assert all(each.name.startswith(saving.TEMPORARY_PREFIX) for each in tmp_path.iterdir())
    save(NODE, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]


texts = st.sampled_from(
    [
        Answer("r.txt", "ip route show table all", ROUTES),
        Answer("a.txt", "ip addr", ADDRESSES),
        Answer("i.txt", "iptables-nft-save -c", SAVE),
        Answer("u.txt", "ip rule", RULES),
        Answer("s.txt", "sysctl -a", SYSCTL + "broken \udce9 line\n"),
        Answer("n.txt", "hostname", "k8s-one\n"),
        Answer("e.txt", "ipset save"),
        Answer("x.txt", "conntrack -L", status=None, error="not installed"),
    ]
)


@settings(max_examples=30, deadline=None)
@given(captures=st.lists(texts, min_size=1, unique_by=lambda each: each.file), packed=st.booleans())
def test_any_captures_survive(
    tmp_path_factory: pytest.TempPathFactory, captures: list[Answer], packed: bool
) -> None:
    dest = tmp_path_factory.mktemp("s") / ("snap.tar.gz" if packed else "snap")
    save(captures, dest)
    state = one(dest)
    told = {each.file for each in state.files}
    assert told == {each.file for each in captures} | {"manifest.json"}
    files = {each.file for each in captures}
    assert len(state.routes) == (4 if "r.txt" in files else 0)
    assert len(state.links) == (2 if "a.txt" in files else 0)
    assert bool(state.rulesets) == ("i.txt" in files)
