"""Rows of the named sets and maps of nft tables, and of their elements."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from calitop.model.rules import ChainKey, MapKey, VerdictMap
from calitop.outline.content import Above, Content, Row, RowId

if TYPE_CHECKING:
    from calitop.outline.rows import Scene


class Maps:
    """One row for each set and map."""

    def __init__(self, scene: Scene, keys: Sequence[MapKey]) -> None:
        self._scene, self.keys = scene, keys
        self.count = len(keys)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """The row of a set or map."""
        key = self.keys[at]
        title = self._scene.names.map(key, self._scene.index.maps.maps[key])
        return Row(row_id, "map", len(row_id) - 1, None, None, None, True, is_open, title, map=key)

    def below(self, at: int) -> Content:
        """Its elements; the chains that they lead to stand elsewhere."""
        return Elements(self._scene, self.keys[at], None, opens=False)

    def token(self, at: int) -> Hashable:
        """Its key."""
        return self.keys[at]

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The places of those keys."""
        return {key: at for at, key in enumerate(self.keys) if key in tokens}

    def chain_at(self, at: int) -> ChainKey | None:
        """None: no chain stands right below."""
        return None


class Elements:
    """The elements of a set or map, and a note where there are none or some are missing."""

    def __init__(self, scene: Scene, key: MapKey, above: Above | None, opens: bool) -> None:
        self._scene, self.key, self._above, self._opens = scene, key, above, opens
        self._map = scene.index.maps.maps[key]
        self._note = _note(self._map)
        self.count = len(self._map.elements) + bool(self._note)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """An element or the note."""
        depth = len(row_id) - 1
        if at >= len(self._map.elements):
            return Row(row_id, "note", depth, None, None, None, False, False, self._note)
        key, value = self._map.elements[at]
        title = key if value is None else f"{key} : {value}"
        target = self._scene.index.maps.target(self.key, at)
        targets = () if target is None else (target,)
        openable = self.chain_at(at) is not None
        return Row(
            row_id,
            "element",
            depth,
            None,
            None,
            None,
            openable,
            is_open,
            title,
            targets,
            map=self.key,
            element=at,
        )

    def below(self, at: int) -> Content | None:
        """The rules of the chain that the element leads to."""
        target = self.chain_at(at)
        return None if target is None else self._scene.rules(target, self._above)

    def token(self, at: int) -> Hashable:
        """The element's key, which no other element of it has."""
        return self._map.elements[at][0] if at < len(self._map.elements) else at - len(self._map.elements)

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The places of those elements, or of the first that leads to each of those chains."""
        return {token: at for token in tokens if (at := self._places.get(token)) is not None}

    def chain_at(self, at: int) -> ChainKey | None:
        """The chain that opens below the element."""
        if not self._opens or at >= len(self._map.elements):
            return None
        return self._scene.index.maps.target(self.key, at)

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        places: dict[Hashable, int] = {}
        for at in range(len(self._map.elements)):
            target = self._scene.index.maps.target(self.key, at)
            if target is not None:
                places.setdefault(target, at)
            places[self._map.elements[at][0]] = at
        return places


def _note(one: VerdictMap) -> str:
    if one.complete is False:
        return "elements are missing: the text was cut"
    if one.elements:
        return ""
    return "no elements" if one.complete else "no elements in this text: it may leave them out (nft -t)"
