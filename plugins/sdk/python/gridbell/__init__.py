"""What a policy is written with. See plugins/README.md; arrears-reminder-python shows every part."""

from .dates import at, date, weekday, ymd
from .declare import notice, reason
from .interest import everyone, nobody
from .parameters import choice, counting, fen, flag, numbers, whole
from .policy import policy
from .registry import FACTS, TRIGGERS, columns, traits
from .run import Run

__all__ = [
    "FACTS", "TRIGGERS", "Run", "at", "choice", "columns", "counting", "date", "everyone", "fen", "flag", "nobody", "notice", "numbers",
    "policy", "reason", "traits", "weekday", "whole", "ymd",
]
