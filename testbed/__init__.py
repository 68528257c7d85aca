"""A place to deploy to: a registry with a login, and hosts over SSH, all on this machine.

>>> with Testbed("example") as bed:
...     print(bed.host("staging").sh("docker version --format '{{.Server.Version}}'"))

``testbed.load``, ``testbed.workspace`` and the rest are imported by their names.
"""
