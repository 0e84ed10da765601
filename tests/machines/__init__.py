"""Whole machines of many kinds, none of them ill: built of real rules and devices, and kept as snapshots.

`scripts/NAME.sh` builds one inside a network namespace; `calico.py` makes the scripts of nodes with
Calico's signed rules. `python -m tests.machines.keep` builds them all and saves each, before and after
some packets, to `kept/NAME.tar.gz`, from which the tests without a kernel read.
"""
