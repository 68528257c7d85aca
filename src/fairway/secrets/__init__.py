"""Settings and secrets: what a host has, how two of them compare, and files that are encrypted with age."""
