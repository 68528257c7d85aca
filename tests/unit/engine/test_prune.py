"""What housekeeping may take, and what it must never take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.hostconfig import Retention
from fairway.engine.images import Image, User, bytes_freed, familiar, layer_sizes
from fairway.engine.prune import DeploymentThere, EngineThere, Kind, Plan, ReleaseThere, There, decide

TAGS = [f"sha-{number:07x}" for number in range(8)]
NAMES = [f"sha256:{number:064x}" for number in range(8)]
# Few, so that releases share them.
REFERENCES = [f"ghcr.io/acme/app@sha256:{number:064x}" for number in range(6)]
FOREIGN = "docker.io/foreign@sha256:" + "f" * 64


def _release(number: int, *images: str) -> ReleaseThere:
    return ReleaseThere(TAGS[number], NAMES[number], images or (REFERENCES[number % 6],), 100)


def _there(**parts: object) -> There:
    nothing: dict[str, object] = {
        **dict.fromkeys(("releases", "deployments", "engines", "images", "users", "successes"), ()),
        "tried": frozenset(),
        "serving": None,
        "previous": None,
        "recorded": frozenset(),
    }
    return There(**{**nothing, **parts})  # type: ignore[arg-type]


@st.composite
def _hosts(draw: st.DrawFn) -> There:
    """Draw any host: releases that share images, containers of anybody's, deployments that have not ended."""
    numbers = st.sampled_from(range(8))
    releases = tuple(
        ReleaseThere(
            TAGS[number],
            draw(st.sampled_from([NAMES[number], NAMES[number], None])),
            tuple(draw(st.lists(st.sampled_from(REFERENCES), max_size=2, unique=True))),
            100,
        )
        for number in draw(st.lists(numbers, unique=True))
    )
    images = tuple(
        Image(f"id{index}", (reference, *draw(st.sampled_from([(), (), ("mine:latest",)]))), (f"layer{index}",))
        for index, reference in enumerate([*draw(st.lists(st.sampled_from(REFERENCES), unique=True)), FOREIGN])
    )
    users = tuple(
        User(f"container{index}", draw(st.sampled_from([image.id for image in images])), release)
        for index, release in enumerate(draw(st.lists(st.sampled_from([None, *NAMES]), max_size=3)))
    )
    deployments = tuple(
        DeploymentThere(f"20260101-00000{index}-000000", ended, tags, 10)
        for index, (ended, tags) in enumerate(
            draw(st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(TAGS), max_size=2).map(tuple)), max_size=6))
        )
    )
    return There(
        releases=releases,
        deployments=deployments,
        engines=tuple(EngineThere(f"engine{i}", held, 1) for i, held in enumerate(draw(st.lists(st.booleans())))),
        images=images,
        users=users,
        successes=tuple(draw(st.lists(st.sampled_from(NAMES), unique=True))),
        tried=frozenset(draw(st.lists(st.sampled_from(NAMES)))),
        serving=draw(st.sampled_from([None, *TAGS])),
        previous=draw(st.sampled_from([None, *TAGS])),
        recorded=frozenset(draw(st.lists(st.sampled_from([d.id for d in deployments] or ["x"])))),
    )


_RETENTIONS = st.builds(Retention, releases=st.integers(2, 4), deployments=st.integers(1, 4))


@given(_hosts(), _RETENTIONS)
def test_nothing_goes_that_must_stay(there: There, retention: Retention) -> None:
    plan = decide(there, retention)
    gone = {kind: set(plan.named(kind)) for kind in Kind}
    unfinished = {tag for deployment in there.deployments if not deployment.ended for tag in deployment.tags}
    used = {r for u in there.users for i in there.images if i.id == u.image_id for r in i.references}
    for release in there.releases:
        if release.tag in gone[Kind.RELEASE]:
            assert release.tag not in {there.serving, there.previous} | unfinished
            assert release.name not in there.successes[: retention.releases]
            assert release.name not in {user.release for user in there.users}
            assert release.name is not None
            assert not set(release.images) & used
        else:
            assert not set(release.images) & gone[Kind.IMAGE]
    pruned = {r for release in there.releases if release.tag in gone[Kind.RELEASE] for r in release.images}
    assert gone[Kind.IMAGE] <= pruned - used
    for deployment in there.deployments:
        if deployment.id in gone[Kind.DEPLOYMENT]:
            assert deployment.ended
            assert deployment.id not in there.recorded
    kept = [d.id for d in there.deployments if d.id not in gone[Kind.DEPLOYMENT]]
    newest = sorted(d.id for d in there.deployments)[-retention.deployments :]
    assert set(newest) <= set(kept)
    assert not {engine.name for engine in there.engines if engine.held} & gone[Kind.ENGINE]


@given(_hosts(), _RETENTIONS)
def test_everything_is_accounted_for_once_and_with_a_reason(there: There, retention: Retention) -> None:
    plan = decide(there, retention)
    named = [(item.kind, item.name) for item in (*plan.goes, *plan.stays)]
    assert len(named) == len(set(named))
    assert {name for kind, name in named if kind is Kind.RELEASE} == {release.tag for release in there.releases}
    assert {name for kind, name in named if kind is Kind.DEPLOYMENT} == {d.id for d in there.deployments}
    assert all(item.why for item in (*plan.goes, *plan.stays))


@given(_hosts(), _RETENTIONS)
def test_what_was_carried_out_leaves_nothing_more_to_do(there: There, retention: Retention) -> None:
    plan = decide(there, retention)
    left = There(
        **{
            **vars(there),
            "releases": tuple(r for r in there.releases if r.tag not in plan.named(Kind.RELEASE)),
            "deployments": tuple(d for d in there.deployments if d.id not in plan.named(Kind.DEPLOYMENT)),
            "engines": tuple(e for e in there.engines if e.name not in plan.named(Kind.ENGINE)),
            "images": tuple(i for i in there.images if not set(i.references) & set(plan.named(Kind.IMAGE))),
        }
    )
    assert decide(left, retention).goes == ()


def test_releases_go_by_when_they_served_not_by_when_they_came() -> None:
    there = _there(
        releases=tuple(_release(number) for number in range(5)),
        images=tuple(Image(f"id{n}", (REFERENCES[n],), ()) for n in range(5)),
        successes=(NAMES[0], NAMES[4], NAMES[3], NAMES[1]),
        serving=TAGS[0],
        previous=TAGS[4],
    )
    plan = decide(there, Retention(releases=3))
    assert plan.named(Kind.RELEASE) == [TAGS[1], TAGS[2]]
    assert plan.named(Kind.IMAGE) == [REFERENCES[1], REFERENCES[2]]
    reasons = [item.why for item in plan.goes]
    assert reasons[:2] == ["older than the 3 newest that served", "it never served here"]


def test_a_release_that_was_tried_since_the_last_success_stays_for_the_next_try() -> None:
    there = _there(releases=(_release(0),), tried=frozenset({NAMES[0]}))
    assert decide(there, Retention()).goes == ()


def test_an_image_that_a_release_in_the_retention_shares_stays() -> None:
    shared, own = REFERENCES[0], REFERENCES[1]
    there = _there(
        releases=(_release(0, shared), _release(1, shared, own)),
        images=(Image("a", (shared,), ()), Image("b", (own,), ())),
        serving=TAGS[0],
    )
    plan = decide(there, Retention())
    assert (plan.named(Kind.RELEASE), plan.named(Kind.IMAGE)) == ([TAGS[1]], [own])


def test_a_release_whose_image_anybody_s_container_uses_stays() -> None:
    image = Image("a", (REFERENCES[0],), ())
    there = _there(releases=(_release(0),), images=(image,), users=(User("somebody-s", "a", None),))
    (stays, _) = decide(there, Retention()).stays
    assert stays.why == "the container somebody-s uses it"


def test_only_layers_that_no_other_image_has_are_freed() -> None:
    old, older, kept = "app@1", "app@2", "app@3"
    images = [
        Image("1", (old,), ("base", "deps", "code1")),
        Image("2", (older,), ("base", "deps", "code2")),
        Image("3", (kept,), ("base", "deps3", "code3")),
    ]
    sizes = {"1": [1000, 100, 1], "2": [1000, 100, 2]}
    assert bytes_freed(images, {old, older}, sizes) == 103
    assert bytes_freed(images, {old}, sizes) == 1
    assert bytes_freed([*images, Image("4", (), ("base", "deps"))], {old, older}, sizes) == 3
    tagged = [Image("1", (old, "mine:latest"), ("base", "deps", "code1")), *images[1:]]
    assert bytes_freed(tagged, {old, older}, sizes) == 2


def test_layers_get_their_sizes_from_the_instructions_that_made_them() -> None:
    history = [
        '0 "CMD [\\"run\\"]"',
        '0 "/bin/sh -c #(nop)  ENV A=b"',
        '57 "COPY src /app # buildkit"',
        '0 "WORKDIR /app"',
        '1000 ""',
    ]
    assert layer_sizes(history, 3) == [1000, 0, 57]
    assert layer_sizes(history, 4) is None
    assert layer_sizes(["57MB ..."], 1) is None


def test_docker_hub_s_images_are_known_by_the_names_that_docker_lists() -> None:
    assert familiar("docker.io/acme/app@sha256:1") == "acme/app@sha256:1"
    assert familiar("docker.io/library/app@sha256:1") == "app@sha256:1"
    assert familiar("ghcr.io/library/app@sha256:1") == "ghcr.io/library/app@sha256:1"


def test_an_empty_plan_frees_nothing() -> None:
    assert Plan((), ()).freed_bytes((Image("1", ("a",), ("x",)),), {"1": [5]}) == 0
