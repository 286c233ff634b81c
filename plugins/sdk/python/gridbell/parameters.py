"""Kinds of parameters: how each is described in the manifest's schema, which makes the form and the checks that an office meets.

Each takes a title and a description for the office. One without a `default` may be left out, and is then `None`."""

MOST_FEN = 1_000_000_000_000
"""10 billion yuan: the host takes no larger amount either."""


class Parameter:
    """A parameter: its name is that of the attribute it is assigned to."""

    def __init__(self, title, description, default, keywords):
        self.default = default
        self.schema = {"title": title}
        if description:
            self.schema["description"] = description
        self.schema.update(keywords)
        if default is not None:
            self.schema["default"] = default


def _whole(range, kind):
    if len(range) != 2 or not all(isinstance(n, int) for n in range) or range[0] > range[1]:
        raise ValueError(f"a parameter of kind `{kind}` needs `range=(least, most)` in whole numbers")
    return {"type": "integer", "minimum": range[0], "maximum": range[1]}


def whole(title, description="", *, range, default=None):
    """A whole number."""
    return Parameter(title, description, default, _whole(range, "whole"))


def fen(title, description="", *, range=(-MOST_FEN, MOST_FEN), default=None):
    """An amount in fen, 1/100 yuan."""
    return Parameter(title, description, default, {**_whole(range, "fen"), "x-unit": "fen"})


def flag(title, description="", *, default=None):
    """Yes or no."""
    return Parameter(title, description, default, {"type": "boolean"})


def choice(words, title, description="", *, default=None):
    """One of several words, each with what an office reads."""
    keywords = {"type": "string", "enum": list(words), "x-enum-titles": list(words.values())}
    return Parameter(title, description, default, keywords)


def counting(title, description="", *, default=None):
    """How days are counted: "calendar" or "working"."""
    return choice({"calendar": "自然日", "working": "工作日（含调休）"}, title, description, default=default)


def numbers(title, description="", *, most, range, default=None):
    """A list of whole numbers, each once. `most` is how many there may be."""
    keywords = {"type": "array", "maxItems": most, "uniqueItems": True, "items": _whole(range, "numbers")}
    return Parameter(title, description, default, keywords)
