"""What a policy can say, and why: declared as attributes of two classes, and used in `decide` by the same names."""

from .dates import NO_DATE, NO_MINUTE

UNITS = ("fen", "date", "days", "kwh", "count", "civil-minute")
NONE_OF_UNIT = {"date": NO_DATE, "civil-minute": NO_MINUTE}
"""What stands for "none" in a number for the template; other units have none."""


def kebab(name):
    return name.lower().replace("_", "-")


class Reason:
    """Why a rule answers what it answers. Returned by itself it says nothing, and why."""

    __slots__ = ("title", "name", "index")

    def __init__(self, title):
        self.title, self.name, self.index = title, None, None

    def __set_name__(self, owner, name):
        self.name = kebab(name)

    def __repr__(self):
        return self.name or "reason"


class Said:
    """A decision as the contract carries it, its row still to come."""

    __slots__ = ("row", "notice", "step", "reason", "route", "arg0", "arg1", "not_before", "expires")

    def at_row(self, row):
        """Itself for a row; a copy if it has one already: an author may keep an answer and give it for several customers."""
        said = self
        if self.row != -1:
            said = Said()
            for field in Said.__slots__:
                setattr(said, field, getattr(self, field))
        said.row = row
        return said


class Notice:
    """Something that a policy can say: called with its numbers, why, and how."""

    def __init__(self, title, numbers):
        self.title, self.numbers, self.name, self.index, self.routes = title, tuple(numbers.items()), None, None, {}
        if len(self.numbers) > 2:
            raise ValueError("a template takes at most two numbers")
        for _, unit in self.numbers:
            if unit not in UNITS:
                raise ValueError(f"`{unit}` is no unit; there are {', '.join(UNITS)}")

    def __set_name__(self, owner, name):
        self.name = kebab(name)

    def __call__(self, *numbers, because, step=1, via=None, not_before=None, expires=None):
        if len(numbers) != len(self.numbers):
            raise ValueError(f"notice `{self.name}` takes {len(self.numbers)} numbers, not {len(numbers)}")
        said = Said()
        said.row, said.notice, said.step, said.reason = -1, self.index, step, because.index
        said.route = 0 if via is None else self.routes[via]
        said.arg0, said.arg1 = self._numbers(numbers)
        said.not_before = NO_MINUTE if not_before is None else not_before
        said.expires = NO_MINUTE if expires is None else expires
        if not 1 <= step <= 255:
            raise ValueError(f"step {step} is not from 1 to 255")
        return said

    def _numbers(self, given):
        crossing = [0, 0]
        for n, ((name, unit), number) in enumerate(zip(self.numbers, given)):
            if number is None:
                number = NONE_OF_UNIT.get(unit)
            if number.__class__ is not int:
                raise ValueError(f"notice `{self.name}`: `{name}` is `{number!r}`, which is no whole number")
            crossing[n] = number
        return crossing


def reason(title):
    """A reason; the title is what an office reads when it asks why."""
    return Reason(title)


def notice(title, **numbers):
    """A notice; `numbers` are at most two for the template, by name, each with its unit."""
    return Notice(title, numbers)


def declared(owner, kind):
    """The declarations of one kind in a class, in order."""
    return {name: value for name, value in vars(owner).items() if isinstance(value, kind)}
