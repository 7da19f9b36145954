"""What `reidkit bench` measures: ours against others, on the same features, in one run."""
