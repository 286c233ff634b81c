"""What every batch of one run shares: when, why, and the calendar of working days."""

from .dates import weekday
from .registry import FACTS, TRIGGERS

FURTHEST = 3660
"""Longest search, in days: a calendar without working days must not loop. Ten years cover any number of days a parameter can hold."""


class Workdays:
    """Working days, moved weekends (调休) included. Where the calendar does not know yet, Monday to Friday are taken."""

    def __init__(self, first, known_until, bits):
        self.first, self.known_until, self._bits = first, known_until, bits

    def works(self, date):
        """Whether people work on `date`."""
        word, bit = divmod(date - self.first, 64)
        if 0 <= word < len(self._bits) and date <= self.known_until:
            return bool(self._bits[word] >> bit & 1)
        return weekday(date) < 5

    def between(self, start, end):
        """Working days from `start` (included) to `end` (not included)."""
        return sum(self.works(date) for date in range(start, min(end, start + FURTHEST)))

    def ahead(self, start, days):
        """The last date with at most `days` working days from `start` (included) to it (not included)."""
        date = start
        for _ in range(FURTHEST):
            if self.works(date):
                if days == 0:
                    break
                days -= 1
            date += 1
        return date

    def back(self, end, days):
        """The last date with at least `days` working days after it up to `end` (included)."""
        date = end
        for _ in range(FURTHEST):
            if days == 0:
                break
            days -= self.works(date)
            date -= 1
        return date


class Run:
    """A run as a policy sees it."""

    def __init__(self, run):
        self.prefecture = run.prefecture
        self.now = run.now
        self.today = run.now // 1440
        self.schedule = run.schedule
        self.workdays = Workdays(run.workdays.first, run.workdays.known_until, run.workdays.bits)
        self._trigger = run.trigger
        self._facts = {fact.id: fact.value for fact in run.facts}

    def is_(self, trigger):
        """Whether this is why the run happens: the name of a trigger."""
        return self._trigger == TRIGGERS[trigger]

    def fact(self, name):
        """A number about the trigger, or `None` if the run does not carry it."""
        return self._facts.get(FACTS[name])

    def ahead(self, days, counting="calendar"):
        """The last date that is at most `days` days ahead of today: what happens on a date up to this one happens "within `days` days"."""
        return self.workdays.ahead(self.today, days) if counting == "working" else self.today + days

    def back(self, days, counting="calendar"):
        """The last date that is at least `days` days back: what happened up to then happened "`days` days ago or earlier"."""
        return self.workdays.back(self.today, days) if counting == "working" else self.today - days
