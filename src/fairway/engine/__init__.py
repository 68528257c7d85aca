"""The host side: carries one deployment out as a journalled state machine.

Standard library only, Python 3.9 or newer: a host needs Docker, Compose v2 and
the ``python3`` it already has. Nothing here imports the control side; what both
sides must agree on is in :mod:`fairway.engine.contract`.
"""
