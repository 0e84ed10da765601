"""What Felix's hashes and words tell of a chain and of a node: untouched or not, which Calico wrote it.

A hash covers the chain's name and every rule before it, so it proves what stands before a rule; that
rules are missing behind the last one it cannot tell.

Source: Felix, generictables/rules.go (hashes), rules/endpoints.go at the tags v3.17 to v3.31 (words).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from calitop.cni.felix_hash import HashCheck, HashState, check_chain
from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.names import calico_rest, comment_owner
from calitop.explain.missing_rules import IPVS_RULE, missing_before
from calitop.formats.spec import spec
from calitop.model.rules import Chain, ChainKey
from calitop.model.targets import SetMark

HashVerdict = Literal["untouched", "edited", "filtered", "unknown"]
Minor = int
"""The second number of a Calico release: 27 for v3.27."""

_NATIVE = "native rules are not judged, as nft prints them in other words than those that Felix signed"
"""Felix signs `<matches> counter <action>` of its own renderer (nftables/renderer.go), without the comment;
no listing of a real node is at hand by which the way back from nft's words could be proven."""
MORE_BROKEN = "more than verify: these are rules of a release whose hashes calitop cannot recompute"
"""Where `broken_chains` cannot judge."""
_IPVS_CHAINS = ("forward-check", "forward-endpoint-mark", "from-endpoint-mark", "set-endpoint-mark")


@dataclass(frozen=True, slots=True)
class ChainHashes:
    """What the hashes of one chain say."""

    verdict: HashVerdict
    """untouched: every rule is Felix's, nothing before the last is missing; edited: a rule is somebody
    else's or was changed, removed or added; filtered: the text lacks rules before one that is there;
    unknown: the form in which Felix wrote a rule is not certain, the text carries no hashes, or the rules
    are native ones of nft."""
    words: str
    at: int | None = None
    """Index of the first rule that tells so; None for untouched."""
    states: tuple[HashState, ...] = ()
    """What the hash of each rule says."""
    missing: tuple[str, ...] = ()
    """Rules before the first one that the text lacks and its hash proves, as Felix writes them."""

    def line(self) -> str:
        """`Felix's hashes, untouched: …`."""
        return f"Felix's hashes, {self.verdict}: {self.words}"


class VersionRange(NamedTuple):
    """Calico releases v3.x that write such rules; None where no rule sets a bound."""

    first: Minor | None
    last: Minor | None
    proofs: tuple[tuple[str, RuleRef | ChainKey], ...] = ()
    """What tells so, with the rule or chain that shows it."""

    def words(self) -> str:
        """`Calico v3.17 to v3.27`."""
        if self.first is not None and self.last is not None and self.first > self.last:
            return "rules of different Calico releases"
        if self.first is None and self.last is None:
            return "Calico release not known"
        if self.last is None:
            return f"Calico v3.{self.first} or later"
        return (
            f"Calico v3.{self.first} to v3.{self.last}" if self.first else f"Calico v3.{self.last} or earlier"
        )


def chain_hashes(index: NodeIndex, key: ChainKey) -> ChainHashes | None:
    """What the hashes say; None where no rule of Felix stands in the chain."""
    chain = index.chains[key]
    is_own = calico_rest(key.chain) is not None
    if not chain.rules or not (is_own or chain.may_hold("cali:")):
        return None
    if key.backend == "native":
        return ChainHashes("unknown", _NATIVE) if chain.may_hold("cali:") else None
    if is_own and not index.is_signed(key):
        return ChainHashes("unknown", "no rule of this text carries a hash of Felix: not checked", 0)
    checks = check_chain(key.chain, [rule.text for rule in chain.rules])
    states = tuple(one.state for one in checks)
    if not is_own:
        # Others' rules are at home in a kernel chain.
        checks = [HashCheck("match") if one.state == "foreign" else one for one in checks]
    found = _verdict(chain, checks)
    if found.verdict == "filtered" and found.at == 0 and is_own:
        found, checks = _completed(index, key, found, checks)
        states = tuple(one.state for one in checks)
    if found.verdict == "untouched" and "foreign" in states:
        found = replace(found, words=_untouched_among(states))
    return replace(found, states=states)


def all_hashes(index: NodeIndex) -> dict[ChainKey, ChainHashes]:
    """What the hashes of every chain say, where rules of Felix in iptables' words stand in it."""
    return {key: told for key in index.chains if (told := chain_hashes(index, key)) is not None}


def broken_chains(index: NodeIndex, found: Mapping[ChainKey, ChainHashes]) -> dict[ChainKey, int] | None:
    """Calico's chains in which the hashes break off at a rule that has one, with that rule's index.

    Returns:
        None where more break off than verify: these are rules of a release whose hashes calitop cannot
        recompute, and say nothing of edits.
    """
    own = {key: one for key, one in found.items() if calico_rest(key.chain) is not None}
    broken = {
        key: one.at
        for key, one in own.items()
        if one.verdict == "edited" and one.at is not None and _is_signed(index, key, one.at)
    }
    whole = sum(one.verdict == "untouched" for one in own.values())
    return broken if len(broken) <= whole else None


def _is_signed(index: NodeIndex, key: ChainKey, at: int) -> bool:
    return comment_owner(index.chains[key].rules[at].text) == "calico"


def _verdict(chain: Chain, checks: list[HashCheck]) -> ChainHashes:
    at = next((at for at, check in enumerate(checks) if check.state != "match"), None)
    if at is None:
        return ChainHashes("untouched", _untouched(chain))
    state, place = checks[at].state, f"rule {at + 1}"
    if state == "foreign":
        return ChainHashes("edited", f"{place} has no hash of Felix: somebody else put it here", at)
    if state == "unknown":
        return ChainHashes(
            "unknown", f"the form in which Felix wrote {place} is not certain: not checked", at
        )
    if chain.complete is False:
        return ChainHashes("filtered", f"the text lacks rules that stand before {place} on the node", at)
    if chain.complete is None:
        words = f"{place} or one before it was changed, or the text lacks rules before it"
        return ChainHashes("unknown", words, at)
    words = f"{place} or one before it was changed, added or removed, behind Felix or in this text"
    return ChainHashes("edited", words, at)


def _untouched(chain: Chain) -> str:
    count = len(chain.rules)
    if count == 1:
        return "the rule is as Felix wrote it, the first of its chain"
    return f"all {count} rules are as Felix wrote them, and none before the last is missing"


def _completed(
    index: NodeIndex, key: ChainKey, found: ChainHashes, checks: list[HashCheck]
) -> tuple[ChainHashes, list[HashCheck]]:
    """The same with the rules that the first hash proves to be missing, where they can be found."""
    proven = missing_before(index, key)
    if proven is None:
        return found, checks
    missing, completed = proven
    count = f"{len(missing)} rules stand" if len(missing) > 1 else "one rule stands"
    words = f"{count} before rule 1 on the node that the text lacks, by its hash: {'; '.join(missing)}"
    return ChainHashes("filtered", words, 0, missing=missing), completed


def _untouched_among(states: Sequence[HashState]) -> str:
    """Of a kernel chain, where rules of others stand among Felix's."""
    count = states.count("match")
    if count == 1:
        return "the one rule of Felix is as it wrote it"
    return f"the {count} rules of Felix are as it wrote them, in their order"


def is_ipvs(index: NodeIndex) -> bool | None:
    """Whether Felix takes kube-proxy to be in IPVS mode; None where the rules at hand do not tell."""
    if ipvs_sign(index) is not None:
        return True
    inputs = (key for key, rest in _felix_chains(index) if rest == "INPUT")
    own = next((key for key in inputs if key.table == "filter" or key.chain.startswith("filter-")), None)
    return False if own is not None and index.chains[own].complete is True else None


def ipvs_sign(index: NodeIndex) -> ChainKey | None:
    """A chain that shows that Felix takes kube-proxy to be in IPVS mode, by being there or by its hashes."""
    chains = list(_felix_chains(index))
    named = (key for key, rest in chains if rest in _IPVS_CHAINS or rest.startswith("sm-"))
    outputs = (key for key, rest in chains if (rest, key.table) == ("OUTPUT", "filter"))
    return next(named, None) or next((key for key in outputs if _lacks_ipvs_rule(index, key)), None)


def _lacks_ipvs_rule(index: NodeIndex, key: ChainKey) -> bool:
    """Whether a hash proves that Felix's rule for IPVS stands there, although the text lacks it."""
    found = chain_hashes(index, key)
    return found is not None and any(IPVS_RULE in rule for rule in found.missing)


def ipvs_words(index: NodeIndex) -> str:
    """Whether kube-proxy is in IPVS mode, with what tells so."""
    sign, mode = ipvs_sign(index), "kube-proxy in IPVS mode"
    if sign is None:
        if is_ipvs(index) is None:
            return f"{mode}: not known"
        return f"{mode}: no, as Felix sees it (none of its chains for IPVS is there)"
    is_proven = calico_rest(sign.chain) == "OUTPUT"
    why = "the hash of {} proves its rule for it" if is_proven else "only then there is {}"
    return f"{mode}: yes, as Felix sees it ({why.format(sign.chain)})"


def felix_version(index: NodeIndex) -> VersionRange:
    """Which Calico releases write what stands in Felix's chains here."""
    signs = [(sign, found) for sign in _SIGNS if (found := sign.find(index)) is not None]
    firsts = [sign.first for sign, _ in signs if sign.first is not None]
    lasts = [sign.last for sign, _ in signs if sign.last is not None]
    proofs = tuple((sign.words, found) for sign, found in signs)
    return VersionRange(max(firsts, default=None), min(lasts, default=None), proofs)


class _Sign(NamedTuple):
    """Something that only some releases write."""

    words: str
    first: Minor | None
    last: Minor | None
    find: Callable[[NodeIndex], RuleRef | ChainKey | None]


def _felix_chains(index: NodeIndex) -> Iterator[tuple[ChainKey, str]]:
    for key in index.chains:
        rest = calico_rest(key.chain)
        if rest is not None:
            yield key, rest


def _says(words: str) -> Callable[[NodeIndex], RuleRef | None]:
    """The first rule of Felix whose comment has these words."""

    def find(index: NodeIndex) -> RuleRef | None:
        for key, _ in _felix_chains(index):
            if index.chains[key].may_hold(words):
                texts = enumerate(index.chains[key].rules)
                return next((RuleRef(key, at) for at, rule in texts if words in rule.text), None)
        return None

    return find


def _has(*starts: str) -> Callable[[NodeIndex], ChainKey | None]:
    """The first chain of Felix whose name begins so."""
    return lambda index: next((key for key, rest in _felix_chains(index) if rest.startswith(starts)), None)


def _clears(is_wanted: Callable[[int, int], bool]) -> Callable[[NodeIndex], RuleRef | None]:
    """The first rule of a workload's chain that clears such bits, given those of accept."""

    def find(index: NodeIndex) -> RuleRef | None:
        for key, rest in _felix_chains(index):
            if rest.startswith(("fw-", "tw-")):
                for at, mask in _cleared(index.chains[key]):
                    if is_wanted(mask, index.marks.accept or 0):
                        return RuleRef(key, at)
        return None

    return find


def _clears_own(is_run: bool) -> Callable[[NodeIndex], RuleRef | None]:
    """The rule in table raw that clears Calico's own bits, where these are one run of bits or are not."""

    def find(index: NodeIndex) -> RuleRef | None:
        own = next((RuleRef(key, at) for name, key, at in index.marks.proofs if name == "own"), None)
        mask = dict(_cleared(index.chains[own.key])).get(own.index, 0) if own is not None else 0
        return own if mask and (not mask & (mask + (mask & -mask))) == is_run else None

    return find


def _cleared(chain: Chain) -> Iterator[tuple[int, int]]:
    for at, rule in enumerate(chain.rules):
        target = spec(rule).target if "MARK" in rule.text or "mark set" in rule.text else None
        action = target.action if target is not None else None
        if isinstance(action, SetMark) and not action.value:
            yield at, action.mask


_SIGNS = (
    _Sign("comments say workloads, not pods", 17, None, _says("packets originating in workloads")),
    _Sign("comments say pods, not workloads", None, 16, _says("packets originating in pods")),
    _Sign("accept is cleared alone", None, 27, _clears(lambda mask, accept: mask == accept)),
    _Sign(
        "accept is cleared together with pass",
        28,
        None,
        _clears(lambda mask, accept: bool(accept & mask) and mask != accept),
    ),
    _Sign("no bit for denied packets among Calico's own", None, 29, _clears_own(is_run=True)),
    _Sign("a bit for denied packets among Calico's own", 30, None, _clears_own(is_run=False)),
    _Sign("policies begin without tiers", None, 27, _says("Start of policies")),
    _Sign("policies are told by tier", 29, None, _says("Start of tier ")),
    _Sign("the end of a tier is told", 30, None, _says("End of tier ")),
    _Sign("policies are grouped", 28, None, _has("gi-", "go-")),
    _Sign("there are exceptions from the reverse path test", 23, None, _has("rpf-skip")),
    _Sign("there is a chain that sets DSCP", 31, None, _has("egress-dscp")),
)
