"""The stages of a pipeline: run alike on a laptop and in CI.

Why not one of the task runners there are? nox and tox run Python sessions one after the other in environments
of their own; invoke, taskipy and poethepoet run tasks as a user names them, and need a file in Python or a
``pyproject.toml``, which a TypeScript repository has not; pypyr runs steps in the order they stand. doit knows
dependencies and parallel workers, but its tasks are functions in a ``dodo.py`` and are up to date by files, and
its workers are processes that it does not end as groups. None brings services up, reads JUnit, or speaks
GitHub's groups and annotations, and that is most of what is here. What they share is the order, and that is
:class:`graphlib.TopologicalSorter` of the standard library.
"""
