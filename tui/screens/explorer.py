"""The explorer: routes, interfaces and chains of one node, linked; keys become actions here."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen

from calitop.search import search
from tui.bindings import KEYS, bindings, keys_in_use
from tui.desk import Desk
from tui.finder import Finder
from tui.history import History
from tui.linked import related_to
from tui.live import LiveFeed
from tui.messages import PollCompleted, SearchDone, SnapshotsReread, Told
from tui.panes import MAIN, Panes
from tui.reasons import why_empty
from tui.shown import Shown
from tui.steps import Steps
from tui.wall import Clock, status_now
from widgets.chain_tree import ChainTree
from widgets.detail import Detail
from widgets.facts import facts_of, headline
from widgets.key_line import KeyHint, KeyLine
from widgets.link_table import LinkTable
from widgets.pane_tabs import PaneTabs, Tab
from widgets.route_table import RouteTable
from widgets.search_box import SearchBox
from widgets.signs import Signs
from widgets.status_line import StatusLine
from widgets.view import ChainId, LinkId, RouteId, RuleId
from widgets.virtual_rows import VirtualRows
