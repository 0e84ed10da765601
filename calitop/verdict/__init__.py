"""Where the packets were lost: the answer from what moved, with its proof."""
