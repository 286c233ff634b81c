"""`@policy(…)`: from an author's declarations to the contract's four functions. Nothing here is kept from one call to the next."""

import json
import types

from . import loop
from .declare import Notice, Reason, declared
from .interest import Column, clauses
from .parameters import Parameter
from .registry import TRIGGERS
from .run import Run

CUSTOMERS = 0


def policy(*, name, version, topic, on, parameters, customer, notices, reasons, routes):
    """Declares a policy. The class below it is the rule: made of a run and its parameters once for each batch, it answers for one customer
    in `decide(self, customer)` and bounds whom that could choose in `interest(self)`. Its documentation is what an office reads."""

    def declare(rule):
        return Policy(rule, name, version, topic, on, parameters, customer, notices, reasons, routes)

    return declare


class Policy:
    """A declared policy."""

    def __init__(self, rule, name, version, topic, on, parameters, customer, notices, reasons, routes):
        for trigger in on:
            if trigger not in TRIGGERS:
                raise ValueError(f"on: the registry has no trigger `{trigger}`")
        for column in customer:
            if not isinstance(column, Column):
                raise ValueError(f"customer: `{column!r}` is no column; write `columns.NAME`")
        self.rule, self.columns = rule, list(customer)
        self.parameters = declared(parameters, Parameter)
        self.reasons = list(declared(reasons, Reason).values())
        self.notices = list(declared(notices, Notice).values())
        for index, reason in enumerate(self.reasons):
            reason.index = index
        for index, notice in enumerate(self.notices):
            notice.index, notice.routes = index, {route: n for n, route in enumerate(routes)}
        self.manifest = self._manifest(name, version, topic, on, routes)
        self._decide, self._explain = loop.made(rule, self.columns)

    def _manifest(self, name, version, topic, on, routes):
        def said(notice):
            numbers = {f"arg{n}": {"name": arg, "unit": unit} for n, (arg, unit) in enumerate(notice.numbers)}
            return {"name": notice.name, "title": notice.title, **numbers}

        properties = {name: parameter.schema for name, parameter in self.parameters.items()}
        return json.dumps(
            {
                "name": name,
                "version": version,
                "description": _joined(self.rule.__doc__ or ""),
                "topic": topic,
                "triggers": list(on),
                "columns": [column.name for column in self.columns],
                "parameters": {"type": "object", "additionalProperties": False, "properties": properties},
                "notices": [said(notice) for notice in self.notices],
                "reasons": [{"name": reason.name, "title": reason.title} for reason in self.reasons],
                "routes": list(routes),
            },
            ensure_ascii=False,
        )

    def prepare(self, run):
        """The rule's figures for one run."""
        given = {name: parameter.default for name, parameter in self.parameters.items()}
        given.update(json.loads(run.params))
        return self.rule(Run(run), types.SimpleNamespace(**given))

    def interest(self, run):
        """Whom it could choose at all: clauses of bounds, or `None` for everyone."""
        return clauses(self.prepare(run).interest())

    def decide(self, run, batch):
        return self._over(self._decide, run, batch)

    def explain(self, run, batch):
        return self._over(self._explain, run, batch)

    def _over(self, loop, run, batch):
        if batch.subject != CUSTOMERS:
            raise ValueError("batch: this policy decides about customers only")
        if [column.id for column in batch.columns] != [column.id for column in self.columns]:
            raise ValueError("batch: the columns are not those that the manifest asked for")
        return loop(self.prepare(run), batch.rows, *(column.values.value for column in batch.columns))


def _joined(text):
    """The lines of a documentation string as one: Chinese runs on without a space, Latin does not."""
    joined = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        joined += (" " if joined and joined[-1].isascii() else "") + line
    return joined
