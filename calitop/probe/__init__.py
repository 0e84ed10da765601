"""Send a few packets from a pod and tell where they were lost: the only part of calitop that sends."""
