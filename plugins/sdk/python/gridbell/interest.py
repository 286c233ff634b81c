"""Whom a policy could choose at all, and the columns that it is said in."""

LEAST = -(1 << 63)
MOST = (1 << 63) - 1

BETWEEN, ALL_BITS, ANY_BIT, NO_BITS = range(4)


class Bound:
    """A condition on one column, as the contract carries it."""

    __slots__ = ("column", "test", "low", "high")

    def __init__(self, column, test, low, high=0):
        if not isinstance(low, int) or not isinstance(high, int):
            raise ValueError(f"interest: a bound on column {column} is `{low!r}` to `{high!r}`, which are no whole numbers")
        self.column, self.test, self.low, self.high = column, test, low, high

    def key(self):
        return self.column, self.test, self.low, self.high

    def passes(self, value, none):
        """Whether a row with this value passes; for tests."""
        if self.test == BETWEEN:
            return self.low <= value <= self.high and value != none
        if self.test == ALL_BITS:
            return value & self.low == self.low
        return (value & self.low != 0) == (self.test == ANY_BIT)


class Column:
    """A column of the registry: read as `customer.NAME`, bounded in `interest` by the functions here."""

    def __init__(self, key, id, name, none):
        self.key, self.id, self.name, self.none = key, id, name, none

    def between(self, low, high):
        """Passes rows whose value lies between `low` and `high`, both included; "none" never passes."""
        return Bound(self.id, BETWEEN, low, high)

    def at_least(self, low):
        """Passes rows whose value is `low` or more; "none" never passes."""
        return self.between(low, MOST)

    def at_most(self, high):
        """Passes rows whose value is `high` or less; "none" never passes."""
        return self.between(LEAST, high)

    def is_(self, value):
        """Passes rows whose value is `value`."""
        return self.between(value, value)

    def all_of(self, bits):
        """Passes rows that have all of `bits`."""
        return Bound(self.id, ALL_BITS, bits)

    def any_of(self, bits):
        """Passes rows that have any of `bits`."""
        return Bound(self.id, ANY_BIT, bits)

    def none_of(self, bits):
        """Passes rows that have none of `bits`."""
        return Bound(self.id, NO_BITS, bits)


everyone = "everyone"
"""The host passes every customer. Correct, and slow: say who cannot be chosen wherever it is known."""
nobody = ()
"""No customer."""


def clauses(interest):
    """What crosses for what an author says: `None` for everyone, else clauses, each a list of bounds of which all must hold."""
    if interest == everyone:
        return None
    wanted = "interest: answer `everyone`, or a list of clauses, each a list of bounds"
    try:
        found = [list(clause) for clause in interest]
    except TypeError:
        raise ValueError(wanted) from None
    if not all(isinstance(bound, Bound) for clause in found for bound in clause):
        raise ValueError(wanted)
    # A clause without bounds lets everybody pass; the contract wants that said.
    if not all(found):
        return None
    once = {tuple(bound.key() for bound in clause): clause for clause in found}
    return list(once.values())
