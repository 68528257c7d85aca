"""A thief has the pipeline's key and speaks the protocol: nothing runs in production that was not proven and approved.

Each test hands the production host something over the deploy key itself, past every
check of the command line, and looks at what serves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairway.config import load
from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError, Invalid, Refused
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Kind, Signed, Statement, parse_statement
from fairway.engine.contract.trust import PublicKey, Role
from fairway.evidence.shipping import as_arguments
from fairway.registry import Archive, ArchivedRelease, connect
from fairway.remote.session import EngineSession
from fairway.remote.transport import transport_for
from testbed import changes
from testbed.bed import Login, Testbed
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving
from tests.host.guarded import give_deploy_key, guarded
from tests.unit.engine.gate.signers import private_key, sign, sign_with

ANN, BEN, CARA = "ann@example.com", "ben@example.com", "cara@example.com"


@dataclass
class Scene:
    """A project whose first release serves everywhere, and whose second one staging has proven."""

    work: Workspace
    first: ArchivedRelease
    second: ArchivedRelease
    #: What staging's host has said of the second release.
    proof: tuple[Signed, ...]

    def speak(self, environment: str, operation: Operation, **args: Any) -> dict[str, Any]:
        """Ask an engine over the deploy key."""
        target = load(self.work.path / "fairway.toml").environment(environment)
        transport = transport_for(target.hosts[0], target.ssh_config)
        with EngineSession(transport, target.deploy_path, environment) as engine:
            return engine.call(operation, **args)

    def approval(self, **changes: Any) -> Statement:
        """Return an approval that fits: the second release may replace the first in production."""
        named = self.second.named
        now = datetime.now(UTC)
        said = Statement(
            kind=Kind.APPROVED,
            release=named.name,
            tag=named.release.tag,
            project=self.work.project,
            environment="production",
            at=clock.now(),
            replaces=self.first.named.name,
            expires=(now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        )
        return replace(said, **changes)

    def attack(self, *evidence: Signed, shipped: dict[str, str] | None = None) -> FairwayError:
        """Have production deploy the second release on this evidence; return how that was refused."""
        args = shipped or as_arguments(self.second)
        try:
            answer = self.speak(
                "production",
                Operation.DEPLOY,
                **args,
                by="a thief",
                evidence=[one.as_json() for one in evidence],
            )
        except FairwayError as error:
            refused = error
        else:
            assert answer["outcome"] != "succeeded", "production runs what it must not"
            found = Fields(answer["error"], "error")
            refused = Refused(found.text("what"), why=found.text("why"), hint=found.text("hint"))
            last = history(self.work, "production")[-1]
            assert (last["outcome"], last["by"]) == ("failed", "a thief")
            assert last["error"]["exit_code"] == 3
        assert serving(self.work, "production") == self.first.named.release.tag
        return refused


def _archived(work: Workspace, tag: str) -> ArchivedRelease:
    repository = load(work.path / "fairway.toml").release_repository
    with connect(repository.registry) as client:
        return Archive(client, repository).get(Tag(tag))


@pytest.fixture(scope="module", autouse=True)
def environment(bed: Testbed) -> Iterator[None]:
    """See the bed as its user would: the registry's login and its authority."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_CONFIG", "SSL_CERT_FILE"):
            patch.setenv(name, bed.environment[name])
        yield


@pytest.fixture(scope="module")
def scene(bed: Testbed, environment: None, make_login: Callable[[], Login]) -> Iterator[Scene]:
    """Prepare it as an administrator, a pipeline and a reviewer do."""
    work = guarded(bed, make_login())
    policy = {"max_age_s": 3600, "approvals": 1, "approvers": [ANN, BEN]}
    work.configure(environments={"production": {"policy": policy}})
    work.commit("Ask for an approval")
    for name in ("staging", "production"):
        work.prepare_host(name)
        work.fairway("bootstrap", name)
        give_deploy_key(work, name)
    for reviewer in (ANN, BEN, CARA):
        _add_key(work, reviewer, Role.REVIEWER)
    _add_key(work, "root@example.com", Role.ADMIN)
    work.fairway("keys", "revoke", "production", BEN, "--role", "reviewer", "--reason", "left the company")
    first = _ship(work, replaces=None)
    changes.retitle(work, "Second")
    second = _archived(work, release(work))
    work.fairway("deploy", "staging", second.named.release.tag)
    made = Scene(work, first, second, ())
    made.proof = _proof(made, second)
    yield made
    work.remove()


def _add_key(work: Workspace, name: str, role: Role) -> None:
    public = str(private_key(name).with_suffix(".pub"))
    work.fairway("keys", "add", "production", name, public, "--role", role.value)


def _ship(work: Workspace, *, replaces: Digest | None) -> ArchivedRelease:
    found = _archived(work, release(work))
    work.fairway("deploy", "staging", found.named.release.tag)
    scene = Scene(work, found, found, ())
    approved = _signed(scene.approval(replaces=replaces), ANN)
    evidence = [one.as_json() for one in (*_proof(scene, found), approved)]
    answer = scene.speak("production", Operation.DEPLOY, **as_arguments(found), by="ci", evidence=evidence)
    assert answer["outcome"] == "succeeded", answer
    return found


def _proof(scene: Scene, of: ArchivedRelease) -> tuple[Signed, ...]:
    answer = scene.speak("staging", Operation.EVIDENCE, tag=of.named.release.tag)
    return tuple(Signed(one["statement"].encode(), one["signature"]) for one in answer["statements"])


def _signed(said: Statement, owner: str, role: Role = Role.REVIEWER) -> Signed:
    return sign(said.to_bytes(), owner, role.namespace)


def _by_staging(scene: Scene, said: Statement) -> Signed:
    """Have staging's host sign what it never said, as nobody but root on that host can."""
    host = scene.work.host("staging")
    key = f"{scene.work.deploy_path}/.fairway/evidence_key"
    content = said.to_bytes()
    done = host.run(f"ssh-keygen -q -Y sign -n {Role.HOST.namespace} -f {key}", stdin=content.decode())
    return Signed(content, done.stdout)


# -- approvals


def test_without_an_approval_nothing_goes_to_production(scene: Scene) -> None:
    refused = scene.attack(*scene.proof)
    assert "approvals: 0 of 1" in refused.why
    assert "fairway approve" in refused.hint


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"environment": "staging"}, "for staging, not production"),
        ({"project": "another"}, "for another project"),
        ({"release": Digest.of(b"another")}, "for another release"),
        ({"replaces": None}, "for replacing nothing"),
        ({"replaces": Digest.of(b"long ago")}, "for replacing"),
        ({"expires": "2026-01-31T12:00:00.000Z"}, "expired"),
        ({"at": "2030-01-31T12:00:00.000Z"}, "still to come"),
    ],
    ids=["environment", "project", "release", "fresh host", "another before it", "expired", "from the future"],
)
def test_an_approval_for_something_else(scene: Scene, changes: dict[str, Any], why: str) -> None:
    assert why in scene.attack(*scene.proof, _signed(scene.approval(**changes), ANN)).why


def test_an_approval_from_a_revoked_key(scene: Scene) -> None:
    assert "left the company" in scene.attack(*scene.proof, _signed(scene.approval(), BEN)).why


def test_an_approval_from_a_reviewer_who_is_no_approver_here(scene: Scene) -> None:
    assert "not one of the approvers" in scene.attack(*scene.proof, _signed(scene.approval(), CARA)).why


def test_an_approval_from_a_key_nobody_knows(scene: Scene) -> None:
    assert "does not know" in scene.attack(*scene.proof, _signed(scene.approval(), "eve@example.com")).why


def test_an_approval_from_a_key_in_another_role(scene: Scene) -> None:
    assert "as admin, not as reviewer" in scene.attack(*scene.proof, _signed(scene.approval(), "root@example.com")).why


def test_an_approval_that_staging_s_host_signs(scene: Scene) -> None:
    forged = _by_staging(scene, scene.approval())
    assert "as host, not as reviewer" in scene.attack(*scene.proof, forged).why


def test_an_approval_signed_in_the_wrong_namespace(scene: Scene) -> None:
    said = scene.approval().to_bytes()
    assert "namespace 'git'" in scene.attack(*scene.proof, sign(said, ANN, "git")).why


def test_a_statement_with_a_key_that_is_there_twice(scene: Scene) -> None:
    said = scene.approval().to_bytes()
    twice = said.replace(b'"environment":"production"', b'"environment":"staging","environment":"production"')
    assert "is there twice" in scene.attack(*scene.proof, sign(twice, ANN, Role.REVIEWER.namespace)).why


def test_an_approval_edited_by_one_byte(scene: Scene) -> None:
    """At many positions here, at every one in the tests of the decision."""
    good = _signed(scene.approval(), ANN)
    edited = []
    for position in range(0, len(good.statement), 4):
        content = bytearray(good.statement)
        content[position] = ord("0") if content[position] != ord("0") else ord("1")
        edited.append(Signed(bytes(content), good.signature))
    assert "approvals: 0 of 1" in scene.attack(*scene.proof, *edited[:150]).why


# -- readiness


def test_without_staging_s_word_an_approval_is_not_enough(scene: Scene) -> None:
    assert "ready on staging: nobody has said so" in scene.attack(_signed(scene.approval(), ANN)).why


def test_stale_readiness(scene: Scene) -> None:
    stale = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    forged = [_by_staging(scene, replace(parse_statement(one.statement), at=stale)) for one in scene.proof]
    assert "too old" in scene.attack(*forged, _signed(scene.approval(), ANN)).why


def test_staging_evidence_forged_with_the_deploy_key(scene: Scene) -> None:
    assert scene.work.login is not None
    ready = next(one for one in scene.proof if parse_statement(one.statement).kind is Kind.READY)
    forged = sign_with(scene.work.login.key, ready.statement, Role.HOST.namespace)
    refused = scene.attack(forged, _signed(scene.approval(), ANN))
    assert "ready on staging: nothing that is believed" in refused.why


def test_readiness_of_another_release_with_the_same_tag(scene: Scene) -> None:
    other = [replace(parse_statement(one.statement), release=Digest.of(b"other bytes")) for one in scene.proof]
    forged = [_by_staging(scene, said) for said in other]
    assert "ready on staging: nobody has said so" in scene.attack(*forged, _signed(scene.approval(), ANN)).why


def test_production_s_own_word_is_not_staging_s(scene: Scene) -> None:
    answer = scene.speak("production", Operation.EVIDENCE, tag=scene.first.named.release.tag)
    own = [Signed(one["statement"].encode(), one["signature"]) for one in answer["statements"]]
    assert own
    assert "ready on staging" in scene.attack(*own, _signed(scene.approval(), ANN)).why


# -- the release


def _tampered(released: ArchivedRelease, change: Callable[[dict[str, Any]], None]) -> dict[str, str]:
    args = as_arguments(released)
    document = json.loads(args["manifest"])
    change(document)
    return {**args, "manifest": json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"}


def test_a_tampered_manifest_is_another_release(scene: Scene) -> None:
    tampered = _tampered(scene.second, lambda document: document["readiness"].update(path="/"))
    refused = scene.attack(*scene.proof, _signed(scene.approval(), ANN), shipped=tampered)
    assert "ready on staging: nobody has said so" in refused.why
    assert "for another release" in refused.why


def test_a_manifest_with_another_image_is_another_release(scene: Scene) -> None:
    first = str(scene.first.named.release.app.digest)
    tampered = _tampered(scene.second, lambda document: document["images"]["app"].update(digest=first))
    assert "for another release" in scene.attack(*scene.proof, _signed(scene.approval(), ANN), shipped=tampered).why


def test_a_tampered_bundle_is_refused(scene: Scene) -> None:
    shipped = {**as_arguments(scene.second), "bundle": as_arguments(scene.first)["bundle"]}
    if shipped["bundle"] == as_arguments(scene.second)["bundle"]:
        shipped["bundle"] = shipped["bundle"][:-8] + "AAAAAAA="
    refused = scene.attack(*scene.proof, _signed(scene.approval(), ANN), shipped=shipped)
    assert isinstance(refused, Invalid)
    assert "bundle" in refused.what


def test_a_moved_tag_is_refused_where_the_first_one_ran(scene: Scene) -> None:
    moved = _tampered(scene.first, lambda document: document.update(created_by="a thief"))
    assert "names another release on this host" in scene.attack(shipped=moved).what


def test_a_registry_that_serves_an_older_archive_can_stop_a_deployment_and_not_cause_one(scene: Scene) -> None:
    older = [_by_staging(scene, parse_statement(one.statement)) for one in scene.proof][:1]
    refused = scene.attack(*older, _signed(scene.approval(replaces=Digest.of(b"long ago")), ANN))
    assert "approvals: 0 of 1" in refused.why

    # And the registry itself, its disk set back to before the approval, then with the tag on the release before.
    work, registry, tag = scene.work, scene.work.bed.registry, scene.second.named.release.tag
    repository = load(work.path / "fairway.toml").release_repository
    before = registry.keep_tags(repository.path)
    with connect(repository.registry) as client:
        Archive(client, repository).statements.put(_signed(scene.approval(), ANN))
    after = registry.keep_tags(repository.path)
    assert work.fairway("gate", "production", tag).returncode == 0
    registry.set_back(repository.path, before)
    _not_promoted(scene, "approvals: 0 of 1")
    registry.set_back(repository.path, after)
    registry.move_tag(repository.path, tag, scene.first.named.release.tag)
    _not_promoted(scene, tag[:11])
    registry.set_back(repository.path, after)
    assert work.fairway("gate", "production", tag).returncode == 0
    registry.set_back(repository.path, before)


def _not_promoted(scene: Scene, why: str) -> None:
    refused = scene.work.fairway("promote", scene.second.named.release.tag, check=False)
    assert refused.returncode != 0
    assert why in refused.stderr
    assert "Traceback" not in refused.stderr
    assert serving(scene.work, "production") == scene.first.named.release.tag


# -- what goes through, and once


def test_an_approval_that_fits_lets_the_release_through_once(scene: Scene) -> None:
    work, first, second = scene.work, scene.first.named.release.tag, scene.second.named.release.tag
    approved = _signed(scene.approval(), ANN)
    evidence = [one.as_json() for one in (*scene.proof, approved)]
    answer = scene.speak("production", Operation.DEPLOY, **as_arguments(scene.second), by="ci", evidence=evidence)
    assert answer["outcome"] == "succeeded", answer
    assert serving(work, "production") == second
    entry = history(work, "production")[-1]
    assert {"statement": approved.digest, "kind": "approved", "by": ANN} in entry["evidence"]

    # A rollback to what ran here needs nobody's word; one to what never did is refused.
    work.fairway("rollback", "production", first)
    assert serving(work, "production") == first
    work.commit("Third")
    third = release(work)
    work.fairway("deploy", "staging", third)
    never = work.fairway("rollback", "production", third, check=False)
    assert never.returncode == 3

    replayed = scene.attack(*scene.proof, approved)
    assert "spent" in replayed.why


def test_who_may_sign_is_not_for_the_deploy_key_to_say(scene: Scene) -> None:
    eve = PublicKey(private_key("eve@example.com").with_suffix(".pub").read_text(encoding="ascii"))
    keys = {"keys": [{"name": "eve@example.com", "role": "reviewer", "public": eve, "added": clock.now()}]}
    with pytest.raises(Refused, match="only an administrator"):
        scene.speak("production", Operation.SET_TRUST, by="a thief", keys=keys)
