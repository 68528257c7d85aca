"""The host's own nginx: what it forwards to, and how that is changed without touching anything else."""
