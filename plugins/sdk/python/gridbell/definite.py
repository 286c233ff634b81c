"""Which local names a function may read before it set them. In a loop such a name would hold the value of an earlier row."""

import ast


def unset_names(function):
    """Names that are assigned somewhere in `function` and may be read where no assignment is behind."""
    stored = {n.id for s in function.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    unset = set()
    _block(function.body, set(), stored, unset)
    return unset


def _reads(node, have, stored, unset):
    if node is not None:
        names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        unset.update(name for name in names if name in stored and name not in have)


def _block(statements, have, stored, unset):
    """Names set behind `statements`, which begin with those in `have`; `None` if control never comes out at their end."""
    for statement in statements:
        if have is None:
            break
        have = _statement(statement, have, stored, unset)
    return have


def _statement(statement, have, stored, unset):
    if isinstance(statement, ast.If):
        _reads(statement.test, have, stored, unset)
        ways = [_block(way, set(have), stored, unset) for way in (statement.body, statement.orelse)]
        out = [way for way in ways if way is not None]
        return set.intersection(*out) if out else None
    if isinstance(statement, (ast.For, ast.While)):
        _reads(statement.iter if isinstance(statement, ast.For) else statement.test, have, stored, unset)
        inside = set(have)
        if isinstance(statement, ast.For):
            inside |= _targets(statement.target)
        _block(statement.body, inside, stored, unset)
        _block(statement.orelse, set(have), stored, unset)
        return have
    if isinstance(statement, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
        for part in ast.iter_child_nodes(statement):
            _reads(part, have, stored, unset)
        return None
    if isinstance(statement, ast.AugAssign):
        # It reads what it sets.
        _reads(statement.value, have, stored, unset)
        if isinstance(statement.target, ast.Name) and statement.target.id not in have:
            unset.add(statement.target.id)
        return have
    for part in ast.iter_child_nodes(statement):
        _reads(part, have, stored, unset)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return have
    return have.union(*(_targets(target) for target in targets if target is not None))


def _targets(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
