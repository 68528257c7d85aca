"""Guardrails: what must not come into a repository, as rules that a team reads and writes.

A rule is an ast-grep rule in a YAML file, with the reason beside it and samples of what it must
catch and let pass. ``rules`` reads them, ``astgrep`` runs the engine, ``checking`` decides what of
the matches is a finding, ``samples`` holds each rule against its own samples.
"""
