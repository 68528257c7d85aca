"""What a bundle may not ask of a host by itself: the table of rules, and what is found by them.

The table is also the reference, ``docs/reference/bundle-policy.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

#: Stands for a service in the name of what is read from the file's text, where a line's service cannot be told.
ANY = "any"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_MAX_DETAIL = 500
# Printable and not a space; the percent sign itself is written as %25.
_KEPT = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"


@dataclass(frozen=True)
class Rule:
    """One thing that is refused: the form of its name in a policy, what it is, and why it is refused.

    ``allowable`` is False for what no policy can allow: Fairway itself would not work with it.
    """

    name: str
    form: str
    refused: str
    because: str
    allowable: bool = True


RULES = (
    # What takes the host.
    Rule("privileged", "<service>", "`privileged: true`", "the container is root on the host"),
    Rule(
        "docker-socket",
        "<service>",
        "a mount of the socket of Docker, containerd or Podman, or of a directory it is in; `use_api_socket`",
        "who can ask Docker for a container can ask for a privileged one",
    ),
    Rule(
        "host-mount",
        "<service>:<path>",
        "a bind mount, a volume that is one, or a file of a secret or a config outside the deploy path, or of the"
        " deploy path itself, `.fairway`, an environment file, `deploy.env` or the Compose file; a path that leads"
        " there by a link, or that the engine cannot follow",
        "the host's files, the engine and its keys are not the application's",
    ),
    Rule(
        "nested-mount",
        "<service>:<path>",
        "a bind mount of something below a directory that a container may write to",
        "that container could put a link to anywhere in its place, after it was looked at",
    ),
    Rule(
        "mount-propagation",
        "<service>:<path>",
        "`bind.propagation: shared` or `rshared`",
        "what the container mounts appears on the host",
    ),
    Rule("mount-type", "<service>:<type>", "mounts of other types than bind, volume, tmpfs and image", "not known"),
    Rule(
        "cap-add", "<service>:<capability>", "`cap_add` beyond what Docker gives by default", "many are as good as root"
    ),
    Rule(
        "devices",
        "<service>:<device>",
        "`devices`, `gpus`, `deploy.resources.reservations.devices` and `generic_resources`",
        "a disk's device is the disk",
    ),
    Rule("device-cgroup-rules", "<service>:<rule>", "`device_cgroup_rules`", "the same, by number"),
    Rule(
        "security-opt",
        "<service>:<option>",
        "`security_opt` other than `no-new-privileges`, `apparmor=docker-default` and `seccomp=builtin`",
        "it takes a fence away, or brings one of its own",
    ),
    Rule(
        "sysctls",
        "<service>:<name>",
        "`sysctls` other than `net.core.somaxconn`, `net.ipv4.ip_unprivileged_port_start`,"
        " `net.ipv4.ip_local_port_range` and `net.ipv4.tcp_*`",
        "kernel parameters",
    ),
    Rule("runtime", "<service>:<runtime>", "`runtime`, `isolation`", "the fence is the host's choice"),
    Rule("cgroup-parent", "<service>:<cgroup>", "`cgroup_parent`", "it leaves the limits the host has set"),
    Rule("annotations", "<service>:<name>", "`annotations`", "they are orders to the runtime"),
    Rule("credential-spec", "<service>", "`credential_spec`", "it is an account of the host's"),
    Rule(
        "priority",
        "<service>:<key>",
        "`oom_kill_disable`, `oom_score_adj` below 0, `cpu_rt_period`, `cpu_rt_runtime`, and `ulimits` of `rtprio`,"
        " `rttime` and `nice`",
        "it goes before the host's own processes",
    ),
    # What leaves its own namespace.
    Rule(
        "network-mode",
        "<service>:<mode>",
        "`network_mode` of `host`, `bridge` or another container",
        "no network of its own",
    ),
    Rule("pid", "<service>:<mode>", "`pid` of the host or another container", "it sees and ends their processes"),
    Rule("ipc", "<service>:<mode>", "`ipc` of the host or another container", "it reads their memory"),
    Rule("uts", "<service>:<mode>", "`uts: host`", "it can rename the host"),
    Rule("userns-mode", "<service>:<mode>", "`userns_mode`", "root in it is root on the host"),
    Rule("cgroup", "<service>:<mode>", "`cgroup: host`", "it sees the host's cgroups"),
    # What is somebody else's.
    Rule(
        "external-volume",
        "<volume>:<name>",
        "an external volume, or a `name` that is not the project's own (`<project>_<volume>`)",
        "it may hold another application's data",
    ),
    Rule(
        "volume-driver",
        "<volume>:<driver or device>",
        "volume drivers and `driver_opts`, except tmpfs",
        "they mount disks",
    ),
    Rule("volumes-from", "<service>:<source>", "`volumes_from`", "it takes over mounts that were not looked at"),
    Rule(
        "external-network",
        "<network>:<name>",
        "an external network, or a `name` that is not the project's own (`<project>_<network>`)",
        "every container there is reached, past its published ports, and can be taken for one of theirs",
    ),
    Rule("external-links", "<service>:<link>", "`external_links`", "another project's containers"),
    Rule(
        "network-driver",
        "<network>:<driver>",
        "network and address drivers other than Docker's bridge",
        "the host's own network",
    ),
    Rule(
        "network-options",
        "<network or service>:<option>",
        "`driver_opts` of a network other than MTU, ICC and the interface's prefix, and of a service's part in one",
        "some open every port, or take an interface of the host's",
    ),
    Rule(
        "subnet", "<network>:<subnet>", "`ipam.config`", "the host then sends that network's traffic to the containers"
    ),
    Rule(
        "published-port",
        "<service>:<port>",
        "a port published beyond the loopback, except the application's own at `APP_HOST_PORT`",
        "Docker opens it past the host's firewall",
    ),
    # What the release does not pin.
    Rule("undigested-image", "<service>", "an image without a digest", "tomorrow it may be other bytes"),
    Rule(
        "other-image",
        "<service>",
        "an application, worker or migrator that does not run the release's own image",
        "what runs is not what was built and proven",
    ),
    Rule("build", "<service>", "`build`, `pull_policy: build`", "a host never builds", allowable=False),
    Rule("develop", "<service>", "`develop`", "a host is no place to develop"),
    # What is done by the host itself.
    Rule("provider", "<service>:<type>", "`provider`", "Compose runs a program of the host's"),
    Rule("models", "<service or model>", "`models`", "Compose has the host fetch and run them"),
    Rule(
        "privileged-hook", "<service>", "`post_start` and `pre_stop` with `privileged: true`", "the same as privileged"
    ),
    Rule(
        "logging",
        "<service>:<driver>",
        "log drivers other than json-file, local, journald and none",
        "logs leave the host",
    ),
    # What Compose reads while it renders.
    Rule("include", ANY, "`include`; one from elsewhere (Git, OCI) is never fetched", "a release is one Compose file"),
    Rule("extends", f"{ANY}:<file>", "`extends` from another file", "a release is one Compose file"),
    Rule(
        "env-file",
        f"{ANY}:<path>",
        "`env_file` outside the deploy path, in `.fairway`, or with a variable in its path",
        "a file of the host's would become the application's environment",
    ),
    Rule("label-file", f"{ANY}:<path>", "`label_file`, in the same way", "the same, as labels"),
    Rule(
        "disguised-key",
        f"{ANY}:<what>",
        "YAML that can spell a key in another way: `!!binary` and other tags in full, directives (`%`), `? ` keys,"
        " aliases as keys, escaped letters in the keys above",
        "the rules above go by the file's text, since what Compose renders no longer shows these keys",
    ),
    Rule(
        "unclear-key",
        f"{ANY}:<key>",
        "`extends`, `env_file` and `label_file` with anything but plain or quoted paths",
        "the rules above go by the file's text, and this cannot be told from it",
        allowable=False,
    ),
    Rule(
        "secret-environment",
        "<secret or config>:<variable>",
        "a secret or a config from an `environment` variable",
        "Fairway hands Compose no environment when it starts containers; use the service's own `environment`",
    ),
    Rule(
        "secret-driver", "<secret or config>:<driver>", "external secrets and configs, and drivers", "somebody else's"
    ),
    # What goes around the migrations.
    Rule(
        "forbidden-command",
        "<service>:<command>",
        "`prisma db push` and its kin (`migrate reset`, `alembic stamp`, `--accept-data-loss`, `DROP DATABASE`, ...) in"
        " `command`, `entrypoint`, `healthcheck` and the hooks, and in what the migrator's image runs by itself",
        "what it did to the schema is in no release, and no rollback can be checked against it",
        allowable=False,
    ),
    # What is Fairway's own, and what nobody knows.
    Rule(
        "reserved-name",
        "<service>",
        "names of containers, services and network aliases that are Fairway's: `fairway-*`, `<project>-edge`,"
        " `<project>-app-blue` and `-green`, `<project>-migrate-<id>`",
        "traffic would go elsewhere",
        allowable=False,
    ),
    Rule(
        "reserved-label",
        "<service, volume or network>:<label>",
        "labels that begin with `dev.fairway.` or `com.docker.compose.`",
        "Fairway and Compose find their containers by them",
        allowable=False,
    ),
    Rule(
        "plain-name",
        "<name>",
        "services, volumes, networks, secrets and configs whose names are not 1 to 63 letters, digits, '.', '_' and"
        " '-', beginning with a letter or digit",
        "a policy could not name them",
        allowable=False,
    ),
    Rule(
        "unknown-key",
        "<service>:<key>",
        "a key that this version of Fairway does not know; `x-` keys are free",
        "what it does cannot be told",
    ),
    Rule(
        "unknown-section",
        "<section>",
        "the same, at the top of the file",
        "what it does cannot be told",
    ),
)
_BY_NAME = {rule.name: rule for rule in RULES}


@dataclass(frozen=True)
class Finding:
    """Something a bundle asks of the host: by which rule, of what, which one of several, and in words."""

    rule: Rule
    of: str
    detail: str
    says: str

    @property
    def name(self) -> str:
        """The name by which a policy allows it; empty when none can."""
        detail = quote(self.detail, safe=_KEPT)
        if not self.rule.allowable or not _PLAIN.fullmatch(self.of) or len(detail) > _MAX_DETAIL:
            return ""
        return f"{self.rule.name}:{self.of}:{detail}" if detail else f"{self.rule.name}:{self.of}"

    def __str__(self) -> str:
        return f"{self.name}: {self.says}" if self.name else f"{self.says} (no policy can allow this)"


def found(rule: str, of: str, detail: str = "", *, says: str) -> Finding:
    """Return a finding by the rule of this name."""
    return Finding(_BY_NAME[rule], of, detail, says)


def is_plain(name: str) -> bool:
    """Say whether a policy can name a service, volume or network of this name."""
    return _PLAIN.fullmatch(name) is not None
