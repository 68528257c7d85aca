"""``[dashboard]``: under which name a team finds the dashboard, how they sign in, and who may look."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairway.config.values import (
    ClaimName,
    ClientId,
    DashboardUrl,
    GroupName,
    HeaderName,
    Issuer,
    Listed,
    Scope,
    Table,
    Viewer,
)

#: In place of a list: whoever the proxy lets through.
EVERYBODY = "*"


class Oidc(Table):
    """``[dashboard.oidc]``: who tells who somebody is. Its secret is not here."""

    issuer: Issuer
    client_id: ClientId
    scopes: Annotated[tuple[Scope, ...], Listed] = Field(default=("openid", "email", "profile"), max_length=20)
    groups_claim: ClaimName = "groups"


class Dashboard(Table):
    """``[dashboard]``: for ``fairway ui --socket``, beside the application on a host."""

    url: DashboardUrl | None = None
    viewers: Annotated[tuple[Viewer, ...], Listed] = ()
    viewer_groups: Annotated[tuple[GroupName, ...], Listed] = ()
    user_header: HeaderName | None = None
    oidc: Oidc | None = None


def contradictions(table: Dashboard) -> list[str]:
    """List what is wrong between keys that are right by themselves, each with the key first."""
    problems = []
    if table.oidc is not None and table.user_header is not None:
        problems.append("user_header: is one way to sign in, and oidc another; keep one")
    if table.oidc is None and table.user_header is None and table.model_fields_set:
        problems.append("oidc: is missing: say how people sign in, with it or with user_header")
    if (table.oidc is not None or table.user_header is not None) and table.url is None:
        problems.append("url: is missing: what people type to come to the dashboard")
    if table.oidc is not None and EVERYBODY in table.viewers:
        problems.append('viewers: "*" is for user_header only: a provider may have accounts for the whole world')
    if table.oidc is not None and "openid" not in table.oidc.scopes:
        problems.append('oidc.scopes: "openid" must be among them')
    if table.user_header is not None and table.viewer_groups:
        problems.append("viewer_groups: are what a provider says of somebody; a header names the person alone")
    return problems
