"""What is written with a version to it, in one place: actions by commit, images by tag."""

from __future__ import annotations

#: An action is named by the commit of a release: a tag can be moved, a commit cannot.
ACTIONS = {
    "checkout": "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
    "setup_node": "actions/setup-node@49933ea5288caeca8642d1e84afbd3f7d6820020 # v4.4.0",
    "setup_python": "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0",
}

IMAGES = {
    "debian": "debian:trixie-slim",
    "node": "node:22-bookworm-slim",
    "postgres": "postgres:17",
    "python": "python:3.13-slim-trixie",
    "redis": "redis:8",
    "ruby": "ruby:3.4-slim-bookworm",
}

UV = "0.9.7"
