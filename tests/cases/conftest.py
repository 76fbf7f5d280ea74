"""The examples have tests of their own, which are theirs to run."""

collect_ignore = ["ci"]
