"""The panes with the checks: known faults, and the way from a finding to its proof and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calitop.model.node import NodeState
from tui.history import Place
from tui.pictures import Picture
from tui.screens.asking_screen import AskingScreen
from widgets.view import SetId, Subject

if TYPE_CHECKING:
    from tui.screens.checks import ChecksScreen, Proof

CHECKS = Place("checks", None)
"""In the history of jumps: the checks, which know their own cursor."""


class CheckingScreen(AskingScreen):
    """Every pane, and what the checks tell of all nodes."""

    _checks: ChecksScreen | None = None
    """Kept once it was asked for: the way back leads to it as it was left."""

    def action_back(self) -> None:
        """Back to where the jump came from, which may be a line of the checks."""
        if self.steps.leave_to(CHECKS):
            self.app.push_screen("checks")
        else:
            super().action_back()

    def action_checks(self) -> None:
        """Look for known faults on all nodes."""
        if self.shown is None:
            self.tell("the node was not read yet")
            return
        if self._checks is None:
            from tui.screens.checks import ChecksScreen

            self._checks = ChecksScreen(self._to_check, self._go_to_proof, self.signs, self.clock.now)
            self.app.install_screen(self._checks, "checks")
        else:
            self._checks.action_again()
        self.app.push_screen("checks")

    def _to_check(self) -> Sequence[Picture]:
        """In a thread: every node as it is to be checked."""
        return self._pictures() if self.feed is None else [self.feed.picture()]

    def _go_to_proof(self, proof: Proof) -> None:
        """To a place in the panes; what stands in none is shown over the checks."""
        from tui.evidence_places import file_telling, place_of

        place = place_of(proof.evidence, proof.state)
        if isinstance(place, SetId):
            self.open_set_of(proof.state, place.ipset)
        elif place is None:
            from tui.screens.files import FilesScreen

            told_by = file_telling(proof.evidence, proof.state)
            self.app.push_screen(FilesScreen(proof.state, (), self.signs, told_by))
        elif self._checks is not None:
            self._checks.dismiss(None)
            self._go_in(proof.state, place)

    def _go_in(self, state: NodeState, place: Subject) -> None:
        """Go to a place of a node at the very moment that was checked; back leads to the checks."""
        desk = self.desk
        if desk is None or state is self._newest().view.state:
            self._go_by(place, CHECKS)
            return
        former = desk.choice.node
        if not desk.choose_state(state):
            self.tell("these snapshots were read again since: c checks them anew")
            return
        if desk.choice.node != former:
            self.steps.forget()
        self._go_then = place, CHECKS
        self.prepare()
