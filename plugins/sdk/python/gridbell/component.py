"""Between a declared policy and componentize-py, which makes a component of both. Imported while the component is built, never by an author."""

import gc
from types import SimpleNamespace as Plain

from componentize_py_types import Err
from wit_world.imports import types as wit

from .policy import Policy

TESTS = list(wit.Test)


def exported(module):
    """The contract's `plugin` for the one policy that `module` declares."""
    found = [value for value in vars(module).values() if isinstance(value, Policy)]
    if len(found) != 1:
        raise ValueError(f"{module.__name__}.py declares {len(found)} policies with `@policy(…)`; a plugin is one")
    policy = found[0]
    _warm(policy)

    class Plugin:
        def manifest(self):
            return policy.manifest

        def interest(self, run):
            clauses = _spoken(policy.interest, run)
            if clauses is None:
                return wit.InterestSet_Everyone()
            bound = lambda b: wit.Bound(b.column, TESTS[b.test], b.low, b.high)
            return wit.InterestSet_AnyOf([[bound(b) for b in clause] for clause in clauses])

        def decide(self, run, batch):
            return _spoken(policy.decide, run, batch)

        def explain(self, run, batch):
            return _spoken(policy.explain, run, batch)

    # An instance lives for one batch: what it leaves behind goes with it.
    gc.collect()
    gc.disable()
    return Plugin


def _spoken(work, *given):
    """Whatever an author's code raises becomes the run's error in words."""
    try:
        return work(*given)
    except ValueError as problem:
        raise Err(str(problem)) from None
    except Exception as problem:
        raise Err(f"{type(problem).__name__}: {problem}") from None


def _warm(policy):
    """Runs both loops over made-up rows, so that the interpreter has specialised their code before the component is frozen. What they answer
    is thrown away, and a rule that cannot decide without an office's parameters stays cold."""
    today = 20_778
    run = Plain(
        prefecture=0, now=today * 1440 + 540, trigger=1, schedule="", facts=[], params="{}",
        workdays=Plain(first=today, known_until=today - 1, bits=[]),
    )
    rows = 512
    for value in (0, 1, 5_000, today - 3, today + 2, today + 9):
        plain = [value if column.none is None or row % 2 else column.none for column in policy.columns for row in range(rows)]
        of = lambda n: plain[n * rows : (n + 1) * rows]
        batch = Plain(subject=0, rows=rows, columns=[Plain(id=c.id, values=Plain(value=of(n))) for n, c in enumerate(policy.columns)])
        try:
            policy.decide(run, batch)
            policy.explain(run, batch)
        except Exception:
            return
