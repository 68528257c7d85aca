"""Reaching the engine of a host: over SSH, or on this machine."""
