"""A place to deploy to: a registry with a login, and hosts over SSH, all on this machine.

>>> with Testbed("example") as bed:
...     staging = bed.add_host("staging")
...     print(staging.sh("docker version --format '{{.Server.Version}}'"))
"""

from testbed.bed import Testbed
from testbed.host import Host
from testbed.load import Load, Report, Streams
from testbed.registry import Registry
from testbed.workspace import Workspace

__all__ = ["Host", "Load", "Registry", "Report", "Streams", "Testbed", "Workspace"]
