"""Which row is line y of the chain tree: pure arithmetic, no terminal."""

from calitop.outline.content import Kind, Row, RowId, View
from calitop.outline.order import base_chains, reach_order
from calitop.outline.tree import Outline

__all__ = ["Kind", "Outline", "Row", "RowId", "View", "base_chains", "reach_order"]
