"""Open what the operator names: folders, archives, text files -> nodes with their moments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from calitop.cni.bpf import with_bpf_warning
from calitop.errors import BadSnapshot, UsageError
from calitop.garbage import no_collections
from calitop.model.node import NodeState, Pod, SourceFile
from calitop.snapshot.folder import blobs
from calitop.snapshot.group import Group, base_of, group
from calitop.snapshot.merge import merge, merge_pods
from calitop.snapshot.moments import Moment, NodeMoments, by_node, seconds
from calitop.snapshot.naming import time_from_folders
from calitop.snapshot.paths import split_name
from calitop.snapshot.pods import PodList, pods_of, with_pods
from calitop.snapshot.reading import ReadFile, read_blob

LOCAL_TIME = "local_time"
"""Key in `Fragment.extra` of a clock without its zone: good to order moments, not to be shown as UTC."""


@no_collections()
def open_snapshots(paths: Sequence[str], pods: Path | None = None) -> list[NodeMoments]:
    """The nodes in the given snapshots, each with its moments in order.

    Args:
        paths: Folders, archives or text files; `NAME=PATH` gives the node its name.
        pods: A pod list for all of them (`kubectl get pods -A -o wide` or `-o json`).

    Raises:
        BadSnapshot: A path is missing, cannot be read, is refused, or holds nothing that is known.
        UsageError: A name is given to a snapshot of several nodes.
    """
    given = read_pod_file(pods) if pods is not None else None
    opened = [_open(path) for path in paths]
    lists = [found for _, groups in opened for found in _pod_lists(groups)]
    moments = [
        _moment(each, name, given, lists, path)
        for (name, groups), path in zip(opened, paths, strict=True)
        for each in groups
    ]
    return by_node(moments)


def open_one(path: str, pods: Path | None = None) -> list[NodeMoments]:
    """As `open_snapshots`, for one path."""
    return open_snapshots([path], pods)


def _open(text: str) -> tuple[str | None, list[Group]]:
    name, path = split_name(text)
    if "\0" in str(path):
        raise BadSnapshot(f"cannot read {str(path)!r}: no path holds a zero byte")
    files = [read_blob(blob) for blob in blobs(path)]
    groups = group(files, base_of(path))
    if not groups:
        raise BadSnapshot(
            _nothing_known(path, files), "give a folder or archive with outputs of iptables-save, ip route …"
        )
    return name, groups if name is None else _of_node(groups, name, path)


def _of_node(groups: list[Group], name: str, path: Path) -> list[Group]:
    """The snapshots that a given name is for: of several nodes the one that is called so already."""
    named = [each for each in groups if each.name() == name]
    if named:
        return named
    owned = sorted({own for each in groups if (own := each.own_name())})
    if len(owned) > 1:
        known = ", ".join(f"'{own}'" for own in owned)
        raise UsageError(
            f"'{path}' holds several nodes: {known}", "give the folder of one, or name one of them"
        )
    return groups


def _nothing_known(path: Path, files: Sequence[ReadFile]) -> str:
    if not files:
        return f"'{path}' holds no file"
    why = next((problem.why for each in files for told in each.told for problem in told.problems), None)
    if len(files) == 1 and why:
        return f"cannot read '{path}' as a snapshot: {why}"
    return f"none of the {len(files)} files in '{path}' is of a format that calitop knows"


# -- one snapshot -----------------------------------------------------------------------


def _moment(
    each: Group, name: str | None, given: PodList | None, lists: Sequence[PodList], path: str
) -> Moment:
    own = [piece for read in each.files for piece in read.pieces(each.host)]
    above = [replace(piece, far=True) for read in each.above for piece in read.pieces(each.host)]
    state = merge([*own, *above])
    manifest = each.manifest
    state = replace(
        state,
        name=name or each.name(),
        captured_at=(manifest.captured_at if manifest else None) or state.captured_at,
        kernel=(manifest.kernel if manifest else None) or state.kernel,
        files=_files(each, given),
    )
    state = with_bpf_warning(with_pods(state, _own_pods(each), lists, given))
    return Moment(state, each.root, _label(each, path), _time_of(each, state))


def _own_pods(each: Group) -> tuple[Pod, ...]:
    return merge_pods(
        [piece.fragment.pods for read in each.files for piece in read.pieces() if piece.fragment.pods]
    )


def _pod_lists(groups: Iterable[Group]) -> list[PodList]:
    return [
        PodList(piece.fragment.pods, read.told[0] if read.told else None)
        for each in groups
        for read in (*each.files, *each.above)
        for piece in read.pieces()
        if piece.fragment.pods
    ]


def read_pod_file(path: Path) -> PodList:
    """The pods in a file that the operator names.

    Raises:
        BadSnapshot: It cannot be read, or holds no pod list.
    """
    files = [read_blob(blob) for blob in blobs(path)]
    told = [(pods_of(piece.fragment), read) for read in files for piece in read.pieces()]
    found = [(pods, read) for pods, read in told if pods]
    if not found:
        raise BadSnapshot(
            f"'{path}' is no pod list", "give the output of 'kubectl get pods -A -o wide' or '-o json'"
        )
    pods, read = found[0]
    return PodList(pods, replace(read.told[0], file=str(path)))


def _files(each: Group, given: PodList | None) -> tuple[SourceFile, ...]:
    own = [told for read in each.files for told in read.told]
    above = [told for read in each.above for told in read.told]
    more = [given.told] if given is not None and given.told is not None else []
    return (*own, *above, *each.unused, *more)


def _label(each: Group, path: str) -> str:
    _, opened = split_name(path)
    base = opened.absolute().parts[1:]
    below = each.root[len(base) :] if each.root[: len(base)] == base else ()
    return "/".join((path, *below)) if below else path


def _time_of(each: Group, state: NodeState) -> float | None:
    """When the snapshot was taken, from the best witness to the worst."""
    known = seconds(state.captured_at)
    if known is not None:
        return known
    fragments = [reading.fragment for read in each.files for reading in read.readings]
    clocks = (seconds(fragment.extra.get(LOCAL_TIME)) for fragment in fragments)
    local = next((clock for clock in clocks if clock is not None), None)
    if local is not None:
        return local
    named = time_from_folders(each.root)
    if named is not None:
        return named
    return max((read.mtime for read in each.files if read.mtime is not None), default=None)
