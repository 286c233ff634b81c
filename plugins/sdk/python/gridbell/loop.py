"""From a rule's `decide`, which answers for one customer, to loops over columns.

`decide` is rewritten, once, while the component is built: its body becomes the body of a loop in which `customer.arrears` is a local name,
`self.minimum` was read before the loop, and `return` goes on with the next row. CPython then spends no call, no object and no look-up on a row.
What the rewriting cannot keep the meaning of (a `return` inside an inner loop, a name that may be unset, a nested function) is not rewritten:
then `decide` is called for each row, which is slower and says the same."""

import ast
import inspect
import textwrap

from .declare import Reason, Said
from .definite import unset_names

CALLED = """
def made(_Customer, _Reason, _said, _why):
    def loop(self, rows{parameters}):
        out = []
        for row in range(rows):
            answer = self.decide(_Customer({values}))
            {take}
        return out
    return loop
"""
INLINE = """
def made(_Customer, _Reason, _said, _why):
    def loop(self, rows{parameters}):
        out = []
        append = out.append
        for {targets} in zip(range(rows){parameters}):
            pass
        return out
    return loop
"""
TAKE = {
    "decide": "answer.__class__ is _Reason or out.append(_said(answer).at_row(row))",
    "explain": "out.append(_why(answer))",
}


def made(rule, columns):
    """The loops for `decide` and `explain`: functions of a rule, the number of rows, and the columns."""
    customer = _customer(columns)
    body = _Body.of(rule, columns)
    sources = [(body.inlined(kind) if body else _called(columns, kind)) for kind in ("decide", "explain")]
    return [_function(source, rule, customer) for source in sources]


def said(answer):
    """An answer that is no reason."""
    if answer.__class__ is not Said:
        raise ValueError(f"decide: answered `{answer!r}`, which is neither a reason nor a notice")
    return answer


def why(answer):
    """The index of an answer's reason."""
    return answer.index if answer.__class__ is Reason else said(answer).reason


def _function(source, rule, customer):
    """A loop, in the scope of the module that `decide` is in: what it calls may be defined below it."""
    scope = {}
    exec(compile(source, f"<{rule.__name__}.decide>", "exec"), rule.decide.__globals__, scope)
    return scope["made"](customer, Reason, said, why)


def _customer(columns):
    """One row as an object, for where a rule passes it on whole."""

    class Customer:
        __slots__ = tuple(column.key for column in columns)

        def __repr__(self):
            return f"customer({', '.join(f'{key}={getattr(self, key)!r}' for key in self.__slots__)})"

    parameters = "".join(f", {column.key}" for column in columns)
    source = f"def __init__(self{parameters}):\n  pass\n" + "".join(f"  self.{c.key} = {c.key}\n" for c in columns)
    scope = {}
    exec(source, scope)
    Customer.__init__ = scope["__init__"]
    return Customer


def _value(column, raw):
    """Source that reads a column: what stands for "none" becomes `None`."""
    return raw if column.none is None else f"(None if {raw} == {column.none} else {raw})"


def _called(columns, kind):
    parameters = "".join(f", c{n}" for n in range(len(columns)))
    values = ", ".join(_value(column, f"c{n}[row]") for n, column in enumerate(columns))
    return CALLED.format(parameters=parameters, values=values, take=TAKE[kind])


class _Body:
    """The body of a `decide` that can be rewritten."""

    def __init__(self, rule, columns, function):
        self.rule, self.columns, self.function = rule, columns, function
        self.me, self.customer = (argument.arg for argument in function.args.args)

    @classmethod
    def of(cls, rule, columns):
        """Reads `rule.decide`; `None` if it is not such a function."""
        decide = vars(rule).get("decide")
        if not inspect.isfunction(decide) or decide.__code__.co_freevars or len(inspect.signature(decide).parameters) != 2:
            return None
        try:
            function = ast.parse(textwrap.dedent(inspect.getsource(decide))).body[0]
        except (OSError, SyntaxError):
            return None
        if not isinstance(function, ast.FunctionDef) or function.decorator_list or not _plain(function):
            return None
        return None if unset_names(function) else cls(rule, columns, function)

    def inlined(self, kind):
        rewritten = _Rewriter(self, kind)
        body = rewritten.block(self.function.body)
        # Where `decide` comes to its end without an answer.
        body += ast.parse("_said(None)").body
        parameters = "".join(f", c{n}" for n in range(len(self.columns)))
        targets = ", ".join(["row", *(f"_c_{column.key}" for column in self.columns)])
        if not self.columns:
            targets += ","
        tree = ast.parse(INLINE.format(parameters=parameters, targets=targets))
        loop = tree.body[0].body[0]
        rule = ast.parse("".join(f"_s_{name} = self.{name}\n" for name in sorted(rewritten.figures))).body
        loop.body[2].body = body
        loop.body[2:2] = rule
        ast.fix_missing_locations(tree)
        return tree


def _plain(function):
    """Whether nothing in the body changes its meaning in a loop."""
    strange = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal)
    strange += (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Try, ast.With, ast.NamedExpr, ast.Delete)
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(node, (*strange, getattr(ast, "Match", ast.Try))) for node in nodes):
        return False
    loops = [node for node in nodes if isinstance(node, (ast.For, ast.While))]
    if any(isinstance(inner, ast.Return) for loop in loops for inner in ast.walk(loop)):
        return False
    own = {"self", "row", "rows", "out", "append", "answer"}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    return not stored & own and not stored & {argument.arg for argument in function.args.args}


class _Rewriter(ast.NodeTransformer):
    """Rewrites the statements of one `decide` for one kind of loop."""

    def __init__(self, body, kind):
        self.body, self.kind, self.figures = body, kind, set()
        self.by_key = {column.key: column for column in body.columns}

    def block(self, statements):
        done = []
        for statement in statements:
            result = self.visit(_copied(statement))
            done += result if isinstance(result, list) else [result]
        return done

    def visit_If(self, node):
        node.test = self.visit(node.test)
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        return node

    def visit_Return(self, node):
        if isinstance(node.value, ast.IfExp):
            choice = node.value
            split = ast.If(choice.test, [ast.Return(choice.body)], [ast.Return(choice.orelse)])
            return self.visit(split)
        known = self._constant(node.value)
        if isinstance(known, Reason):
            return ast.parse("" if self.kind == "decide" else f"append({known.index})").body + [ast.Continue()]
        answer = ast.Assign([ast.Name("answer", ast.Store())], self.visit(node.value) if node.value else ast.Constant(None))
        take = TAKE[self.kind].replace("out.append", "append")
        return [answer, *ast.parse(take).body, ast.Continue()]

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id == self.body.customer:
            return self._column(node)
        if isinstance(node.value, ast.Name) and node.value.id == self.body.me:
            if not isinstance(node.ctx, ast.Load):
                raise ValueError(f"decide sets `self.{node.attr}`: nothing may be kept from one customer to the next")
            if hasattr(self.body.rule, node.attr):
                return ast.Attribute(ast.Name("self", ast.Load()), node.attr, ast.Load())
            self.figures.add(node.attr)
            return ast.Name(f"_s_{node.attr}", ast.Load())
        known = self._constant(node)
        if isinstance(known, (int, str)):
            return ast.Constant(known)
        return self.generic_visit(node)

    def visit_Compare(self, node):
        """`customer.due is None` looks at what crossed, and makes no value first."""
        known = isinstance(node.left, ast.Attribute) and isinstance(node.left.value, ast.Name) and node.left.value.id == self.body.customer
        column = self.by_key.get(node.left.attr) if known else None
        test = node.ops[0]
        none = len(node.ops) == 1 and isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None
        if column is not None and column.none is not None and none and isinstance(test, (ast.Is, ast.IsNot)):
            op = ast.Eq() if isinstance(test, ast.Is) else ast.NotEq()
            return ast.Compare(ast.Name(f"_c_{column.key}", ast.Load()), [op], [ast.Constant(column.none)])
        return self.generic_visit(node)

    def visit_Name(self, node):
        if node.id == self.body.customer:
            values = ", ".join(_value(column, f"_c_{column.key}") for column in self.body.columns)
            return ast.parse(f"_Customer({values})", mode="eval").body
        return ast.Name("self", node.ctx) if node.id == self.body.me else node

    def _column(self, node):
        column = self.by_key.get(node.attr)
        if column is None:
            asked = ", ".join(self.by_key) or "no column"
            raise ValueError(f"decide reads `customer.{node.attr}`, but the policy's `customer` asks for {asked}")
        if not isinstance(node.ctx, ast.Load):
            raise ValueError(f"decide sets `customer.{node.attr}`: what a customer is, is not decided here")
        return ast.parse(_value(column, f"_c_{column.key}"), mode="eval").body

    def _constant(self, node):
        """What `Name.attribute` is where both are the module's and cannot change: a reason, a bit."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self.body.rule.decide.__globals__.get(node.value.id)
            if isinstance(owner, type):
                return vars(owner).get(node.attr)
        return None


def _copied(node):
    """A rewriter changes what it visits, and `decide` is rewritten twice."""
    return ast.parse(ast.unparse(node)).body[0] if not isinstance(node, ast.Return) else ast.Return(node.value and _expression(node.value))


def _expression(node):
    return ast.parse(ast.unparse(node), mode="eval").body
