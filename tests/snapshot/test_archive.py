"""Archives are read without unpacking, and evil ones are refused with a clear error."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from calitop.errors import BadSnapshot
from calitop.snapshot import archive
from calitop.snapshot.open import open_snapshots
from tests.snapshot.texts import NODE, SAVE, tar, zipped

IN_FOLDER = {f"one/{name}": text for name, text in NODE.items()}


def opened(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    (node,) = open_snapshots([str(path)])
    return sum(len(chain.rules) for chain in node.moments[0].chains().values())


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.xz", "w:xz")]
)
def test_every_kind_of_tar_opens(tmp_path: Path, name: str, mode: str) -> None:
    assert opened(tmp_path / name, tar(IN_FOLDER, mode)) == 3


def test_a_zip_opens(tmp_path: Path) -> None:
    assert opened(tmp_path / "a.zip", zipped(IN_FOLDER)) == 3


def test_an_archive_is_known_by_its_content(tmp_path: Path) -> None:
    assert opened(tmp_path / "bundle", tar(IN_FOLDER)) == 3


def test_a_packed_text_opens(tmp_path: Path) -> None:
    assert opened(tmp_path / "rules.txt.gz", gzip.compress(SAVE.encode())) == 3


def test_archives_inside_archives_are_read(tmp_path: Path) -> None:
    data = tar(IN_FOLDER)
    for depth in range(4):
        data = tar({f"deeper{depth}.tar.gz": data}) if depth % 2 else zipped({f"deeper{depth}.tar.gz": data})
    assert opened(tmp_path / "outer.zip", data) == 3


def test_too_many_archives_inside_each_other_are_refused(tmp_path: Path) -> None:
    data = tar(IN_FOLDER)
    for _ in range(archive.DEPTH_LIMIT):
        data = tar({"inner.tar.gz": data})
    with pytest.raises(BadSnapshot, match="archives deep"):
        opened(tmp_path / "a.tar.gz", data)


@pytest.mark.parametrize("name", ["../rules.txt", "one/../../rules.txt", "/etc/rules.txt", "C:\\rules.txt"])
@pytest.mark.parametrize("make", [tar, zipped])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str, make: type) -> None:
    with pytest.raises(BadSnapshot, match=r"absolute|'\.\.'"):
        opened(tmp_path / "a", make({**IN_FOLDER, name: SAVE}))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        member = tarfile.TarInfo("one/rules.txt")
        member.type, member.linkname = kind, "/etc/passwd"
        made.addfile(member)
    with pytest.raises(BadSnapshot, match=r"link|device"):
        opened(tmp_path / "a.tar", out.getvalue())


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        member = zipfile.ZipInfo("one/rules.txt")
        member.create_system, member.external_attr = 3, 0o120777 << 16
        made.writestr(member, "/etc/passwd")
    with pytest.raises(BadSnapshot, match="link"):
        opened(tmp_path / "a.zip", out.getvalue())


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"rules.txt": SAVE}))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadSnapshot, match="encrypted"):
        opened(tmp_path / "a.zip", bytes(data))


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, make: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive.Budget.__init__, "__defaults__", (2**20,))
    with pytest.raises(BadSnapshot, match="more than 1 MiB"):
        opened(tmp_path / "a", make({"one/zeros": bytes(3 * 2**20)}))


def test_the_limit_counts_over_all_nested_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.Budget.__init__, "__defaults__", (2**20,))
    inner = tar({"zeros": bytes(2**19)})
    with pytest.raises(BadSnapshot, match="more than 1 MiB"):
        opened(tmp_path / "a", tar({f"{n}.tar.gz": inner for n in range(4)}))


@pytest.mark.parametrize("cut", [20, 100, 200])
def test_a_truncated_archive_is_a_clear_error(tmp_path: Path, cut: int) -> None:
    with pytest.raises(BadSnapshot, match="cannot read archive"):
        opened(tmp_path / "a.tar.gz", tar(IN_FOLDER)[:cut])


def test_a_damaged_archive_inside_does_not_stop_the_rest(tmp_path: Path) -> None:
    data = tar({**IN_FOLDER, "one/broken.tar.gz": tar(IN_FOLDER)[:50]})
    (tmp_path / "a.tar.gz").write_bytes(data)
    (node,) = open_snapshots([str(tmp_path / "a.tar.gz")])
    broken = next(each for each in node.moments[0].files if "broken" in each.file)
    assert broken.kind is None
    assert "cannot read archive" in broken.problems[0].why


# Named: a gzip holds the second it was made in, and every xdist worker must collect the same names.
@pytest.mark.parametrize(
    "data", [tar({}, "w"), tar({}), zipped({}), b""], ids=["tar", "tar.gz", "zip", "no bytes"]
)
def test_an_empty_archive_is_a_clear_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadSnapshot):
        opened(tmp_path / "a.tar", data)


def test_a_tar_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("one/rules.txt")
    member.size = 2**40
    with pytest.raises(BadSnapshot):
        opened(tmp_path / "a.tar", member.tobuf() + bytes(1024))
