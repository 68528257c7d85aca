"""What is wrong between the stages of ``[ci]`` that are right by themselves."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairway.config.models import Ci


def contradictions(ci: Ci) -> list[str]:
    """List the problems, each with the key first: names nobody has, stages that wait for each other."""
    problems: list[str] = []
    known = ", ".join(ci.stages)
    for name, stage in ci.stages.items():
        where = f"stages.{name}"
        for need in stage.needs:
            if need == name:
                problems.append(f"{where}.needs: {name} cannot need itself")
            elif need not in ci.stages:
                problems.append(f"{where}.needs: there is no stage {need!r} (there are {known})")
        if stage.services and ci.compose is None:
            problems.append(f"{where}.services: ci.compose must say in which Compose file they are")
        problems += [
            f"{where}.env.{key}: a '$' begins the name of a variable, as in ${{CI_POSTGRES_PORT}}; write '$$' for a '$'"
            for key, value in stage.env.items()
            if not Template(value).is_valid()
        ]
        problems += [
            f"{where}.junit: in {glob!r} ** must stand between slashes, as in reports/**/*.xml"
            for glob in stage.junit
            if any("**" in part and part != "**" for part in glob.split("/"))
        ]
    if not problems:
        problems += _circles(ci)
    return problems


def _circles(ci: Ci) -> list[str]:
    try:
        TopologicalSorter({name: stage.needs for name, stage in ci.stages.items()}).prepare()
    except CycleError as error:
        # Each in the list is needed by the one after it, and the last is the first again.
        return [f"stages: they wait for each other in a circle: {' needs '.join(reversed(error.args[1]))}"]
    return []
