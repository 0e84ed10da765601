"""The catalogue as a script for any POSIX shell, BusyBox included.

The same guards as in `look.py`, as shell tests. Nothing is written at the node: standard
error comes back through a command substitution, not a file.

Each answer is framed so that no program's output can be taken for it:

    <standard output>
    SEPARATOR:<status>          a number; `-` for not asked, `!` for not installed
    <standard error or reason>
    SEPARATOR.

The names of the nft tables are taken from the heads in `nft list flowtables`: `nft list tables`
says the same, but nft 1.0.6 reads every rule for it (5 s at 50,000 rules, against 16 ms).

Source: POSIX.1-2017, Shell Command Language.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from calitop.formats import cilium_state
from calitop.sources import capture
from calitop.sources.capture import Capture, Need
from calitop.sources.settings import name_of

NOT_ASKED, NOT_INSTALLED = "-", "!"

_PREAMBLE = r"""
exec 3>&1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; LC_ALL=C; LANG=C; export PATH LC_ALL LANG
ct_have() { command -v "$1" >/dev/null 2>&1; }
ct_loaded() {
  [ -e /proc/modules ] || return 0
  [ -d "/sys/module/$1" ] && return 0
  grep -q "^$1 " /proc/modules && return 0
  ct_b=/lib/modules/$(uname -r)/modules.builtin
  if [ -e "$ct_b" ]; then grep -q "/$1\.ko" "$ct_b"; else grep -q " $2" /proc/kallsyms 2>/dev/null; fi
}
ct_tables() {
  [ -e "$1" ] && [ ! -r "$1" ] && return 0
  ct_x=; { read -r ct_x < "$1"; } 2>/dev/null; [ -n "$ct_x" ]
}
ct_say() { printf '\n%s:%s\n%s\n%s.\n' "$ct_s" "$1" "$2" "$ct_s"; }
ct_run() { ct_e=$("$@" 2>&1 1>&3 </dev/null); ct_say "$?" "$ct_e"; }
ct_links() { for ct_d in /sys/class/net/*/; do ct_d=${ct_d%/}; echo "${ct_d##*/}"; done; }
ct_filters() {
  for ct_d in $(ct_links); do for ct_w in ingress egress; do
    echo "# dev $ct_d $ct_w"; tc filter show dev "$ct_d" "$ct_w" || return 1
  done; done
}
ct_native() {
  ct_l=$(nft list flowtables) || return 1
  printf '%s\n' "$ct_l" | while read -r ct_t ct_f ct_n ct_x; do
    [ "$ct_t" = table ] || continue
    case " $ct_told " in *" $ct_f/$ct_n "*) continue;; esac
    nft list table "$ct_f" "$ct_n" </dev/null || exit 1
  done
}
ct_endpoints() {
  cd /var/run/cilium/state || return 1
  for ct_d in [0-9]*; do
    case $ct_d in *[!0-9]*) continue;; esac
    for ct_f in ep_config.json ep_config.h lxc_config.h; do
      ct_n=$ct_d/$ct_f
      [ -e "$ct_n" ] || continue
      [ -r "$ct_n" ] || { echo "# cannot read '/var/run/cilium/state/$ct_n': Permission denied"; break; }
      printf '/var/run/cilium/state/%s:' "$ct_n"
      case $ct_f in
        *.json) tr '\n' ' ' < "$ct_n";;
        *) grep CILIUM_BASE64_ "$ct_n" | head -n 1 | tr -d '\n';;
      esac
      echo; break
    done
  done
}
ct_own() { [ "$(readlink "/proc/$1/ns/$2")" != "$(readlink "/proc/self/ns/$2")" ]; }
ct_word() { tr -c '[:alnum:]._\n-' '?' | { read -r ct_x; printf %s "$ct_x"; }; }
ct_name() {
  ct_h=$(ct_word)
  case $ct_h in ''|*[?_]*) ;; *) echo " hostname $ct_h from $1";; esac
}
ct_digits() { [ -L "$1" ] || head -c 20 "$1" | tr -cd 0-9; }
ct_process() {
  echo " process $1 $(ct_word < "/proc/$1/comm")"
  grep kubepods "/proc/$1/cgroup" | sed 's/^/ cgroup /'
  ct_own "$1" uts || return 0
  # A pod may put a link there, which would lead to a file of this host.
  ct_h=/proc/$1/root/etc
  if ct_own "$1" mnt && [ ! -L "$ct_h" ] && [ ! -L "$ct_h/hostname" ] && [ -f "$ct_h/hostname" ]; then
    head -c 300 "$ct_h/hostname" | ct_name /etc/hostname
  fi
  tr '\000' '\n' < "/proc/$1/environ" | sed -n 's/^HOSTNAME=//p' | ct_name HOSTNAME
}
ct_inside() {
  ct_a=
  while read -r ct_x ct_y ct_z; do
    case $ct_x in
      '|--') ct_a=$ct_y;;
      /32) [ "$ct_y $ct_z" != 'host LOCAL' ] || echo " address $ct_a/32";;
    esac
  done < "/proc/$1/net/fib_trie"
  [ ! -r "/proc/$1/net/if_inet6" ] || sed 's/^/ inet6 /' "/proc/$1/net/if_inet6"
  for ct_d in "/proc/$1/root/sys/class/net"/*/iflink; do
    ct_d=${ct_d%/iflink}; ct_n=${ct_d##*/}
    grep -q "^ *$ct_n:" "/proc/$1/net/dev" || continue
    echo " device $(ct_digits "$ct_d/ifindex") $ct_n peer $(ct_digits "$ct_d/iflink")"
  done
}
ct_numbers() {
  ct_k=$(ip netns list-id 2>/dev/null) || return 0
  ls -Li /run/netns 2>/dev/null | while read -r ct_i ct_n; do
    case $ct_k in *"name: $ct_n)"*) ;; *) continue;; esac
    ct_x=${ct_k%%"(iproute2 netns name: $ct_n)"*}; ct_x=${ct_x##*nsid }
    printf '%s=%s ' "$ct_i" "${ct_x%% *}"
  done
}
ct_spaces() {
  ct_o=$(readlink /proc/self/ns/net) || return 1
  ct_seen=" "; ct_k=" $(ct_numbers)"
  echo '# network namespaces of processes, by calitop'
  ls -l /proc/[0-9]*/ns/net 2>/dev/null | { while read -r ct_l; do
    case $ct_l in *'/ns/net -> net:['*) ;; *) ct_q=1; continue;; esac
    ct_i=${ct_l##*'net:['}; ct_i=${ct_i%]*}
    ct_p=${ct_l%'/ns/net -> '*}; ct_p=${ct_p##*/}
    [ "net:[$ct_i]" != "$ct_o" ] || continue
    case $ct_seen in
      *" $ct_i 3 "*) continue;;
      *" $ct_i 2 "*) ct_c=3;;
      *" $ct_i 1 "*) ct_c=2;;
      *) ct_c=1;;
    esac
    ct_seen="$ct_seen$ct_i $ct_c "
    case $ct_k in *" $ct_i="*) ct_x=${ct_k#*" $ct_i="}; ct_x=" id ${ct_x%% *}";; *) ct_x=;; esac
    echo "netns $ct_i$ct_x"
    { ct_process "$ct_p"; [ $ct_c != 1 ] || ct_inside "$ct_p"; } 2>/dev/null </dev/null
  done
  [ -z "$ct_q" ] || if [ "$(id -u)" = 0 ]; then echo "# note: processes that even root may not look at"
  else echo "# processes not looked at: permission denied; run as root"; fi; }
}
ct_j=-j; ip -j link >/dev/null 2>&1 </dev/null || ct_j=
"""

_GUARDS = {
    Need.NFT: ("ct_loaded nf_tables nf_tables_newtable", "nf_tables is not loaded: not asked"),
    Need.NFT_IPTABLES: (
        "ct_loaded nf_tables nf_tables_newtable && ct_loaded nft_compat nft_match_init",
        "nf_tables or nft_compat is not loaded: not asked",
    ),
    Need.LEGACY_IPV4: (
        "ct_tables /proc/net/ip_tables_names",
        "no legacy tables there: not asked, asking would create them",
    ),
    Need.LEGACY_IPV6: (
        "ct_tables /proc/net/ip6_tables_names",
        "no legacy tables there: not asked, asking would create them",
    ),
    Need.IP_SET: ("ct_loaded ip_set ip_set_match_extensions", "ip_set is not loaded: not asked"),
    Need.CONNTRACK_NETLINK: (
        "ct_loaded nf_conntrack_netlink ctnetlink_dump_table",
        "nf_conntrack_netlink is not loaded: not asked",
    ),
}
_FUNCTIONS = {
    capture.SYSCTL: "ct_run ct_settings",
    capture.TC: "ct_run ct_filters",
    capture.NFT_NATIVE: "ct_run ct_native",
    capture.HOSTNAME: "ct_run cat /proc/sys/kernel/hostname",
    capture.CILIUM_STATE: "ct_run ct_endpoints",
    capture.POD_NAMESPACES: "ct_run ct_spaces",
}
_IPTABLES_TABLES = ("raw", "mangle", "nat", "filter", "security")


def preamble(separator: str) -> str:
    """What is told to the shell once: functions, and which programs are which."""
    finds = "".join(_find(wanted) for wanted in capture.SAVES)
    patterns = " ".join(capture.SETTING_FILES)
    settings = f'ct_settings() {{ cd /proc/sys && grep -s "" {patterns}; return 0; }}\n'
    return f"ct_s={shlex.quote(separator)}\n{_PREAMBLE}{settings}{finds}printf '%s\\n' \"$ct_s\"\n"


def script(captures: Iterable[Capture], incompatible: Iterable[str] = ()) -> str:
    """One round trip: every capture's answer in a frame, in order.

    Args:
        captures: What to read.
        incompatible: `FAMILY/TABLE` that iptables-nft-save could not print last time.
    """
    told = " ".join(
        f"{family}/{table}"
        for family in ("ip", "ip6")
        for table in _IPTABLES_TABLES
        if f"{family}/{table}" not in frozenset(incompatible)
    )
    return (
        f"ct_told='{told}'\n" + "".join(_ask(wanted) for wanted in captures) + "printf '%s!\\n' \"$ct_s\"\n"
    )


def _ask(wanted: Capture) -> str:
    if wanted.command[0] == "cat" or wanted in (capture.SYSCTL, capture.HOSTNAME):
        return _run(wanted) + "\n"
    ask = f"if {_is_there(wanted)}; then {_run(wanted)}; else ct_say '{NOT_INSTALLED}' ''; fi"
    if wanted.folder is not None:
        test, reason = f"[ -d {wanted.folder} ]", f"there is no {wanted.folder} there"
    elif wanted.need is None:
        return ask + "\n"
    else:
        test, reason = _GUARDS[wanted.need]
    return f"if {test}; then {ask}; else ct_say '{NOT_ASKED}' {shlex.quote(reason)}; fi\n"


def _is_there(wanted: Capture) -> str:
    return f'[ -n "${_variable(wanted)}" ]' if wanted in capture.SAVES else f"ct_have {wanted.command[0]}"


def _run(wanted: Capture) -> str:
    if wanted in _FUNCTIONS:
        return _FUNCTIONS[wanted]
    if wanted in capture.SAVES:
        return f"ct_run ${_variable(wanted)} {' '.join(wanted.command[1:])}"
    if wanted.command[0] == "ip":
        return "ct_run " + " ".join("$ct_j" if word == "-j" else word for word in wanted.command)
    return "ct_run " + shlex.join(wanted.command)


def _variable(save: Capture) -> str:
    return f"ct_{save.backend}_{save.family}"


def _find(save: Capture) -> str:
    """Sets the capture's variable to the words that start its program, empty when there are none."""
    name, (multi, generic) = save.command[0], save.alternatives[0]
    speaks = f"{generic} --version 2>/dev/null </dev/null | grep -q nf_tables"
    test = speaks if save.backend == "nft" else f"! {speaks}"
    variable = _variable(save)
    return (
        f"{variable}=\n"
        f"if ct_have {name}; then {variable}={name}\n"
        f"elif ct_have {multi}; then {variable}='{multi} {generic}'\n"
        f"elif ct_have {generic} && {test}; then {variable}={generic}; fi\n"
    )


@dataclass(frozen=True, slots=True)
class Framed:
    """One answer as it came through the shell."""

    status: str
    text: str
    errors: str


def unframe(data: str, separator: str, captures: Sequence[Capture]) -> list[Framed] | None:
    """The answers in a shell's output.

    Args:
        data: Everything up to the end mark of `script`.
        separator: As given to `preamble`.
        captures: What was asked, in order.

    Returns:
        None when the frames do not fit what was asked.
    """
    frames = data.split(f"\n{separator}.\n")[:-1]
    if len(frames) != len(captures):
        return None
    found = [_unframe_one(frame, separator, wanted) for frame, wanted in zip(frames, captures, strict=True)]
    return None if None in found else [each for each in found if each is not None]


def _unframe_one(frame: str, separator: str, wanted: Capture) -> Framed | None:
    text, mark, rest = frame.rpartition(f"\n{separator}:")
    status, _, errors = rest.partition("\n")
    if not mark:
        return None
    if wanted is capture.CILIUM_STATE:
        text = cilium_state.reduced(text)
    return Framed(status, _settings(text) if wanted is capture.SYSCTL else text, errors)


_SETTING = re.compile(r"^(net/[^:\n]*):(.*)$", re.M)


def _settings(text: str) -> str:
    """`grep "" FILE…` in the words of `sysctl -a`."""
    return "".join(f"{name_of(path)} = {value}\n" for path, value in _SETTING.findall(text))
