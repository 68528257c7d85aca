"""``fairway.toml``: what a team says about its application, its images and its hosts.

>>> from fairway.config import load
>>> config = load()                                  # doctest: +SKIP
>>> config.environment("staging").hosts              # doctest: +SKIP
(Host(name='deploy@staging.example.com', ...),)
"""

from __future__ import annotations

from fairway.config.environment import Environment, Promotion, RegistryLogin
from fairway.config.hosts import Host
from fairway.config.load import FILE_NAME, find, load
from fairway.config.models import Config

__all__ = ["FILE_NAME", "Config", "Environment", "Host", "Promotion", "RegistryLogin", "find", "load"]
