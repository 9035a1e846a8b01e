"""The Jinja environment of chat templates: nothing but plain data can be reached, and every cost is counted.

Jinja's own sandbox hides private attributes and refuses changes of lists. On top of it, only known functions and
methods can be called, and loops, calls, literals and everything else that grows spend from the budget of the rendering.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from types import BuiltinMethodType, MethodType
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.ext import loopcontrols as LoopControls
from jinja2.parser import Parser
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace
from jinja2.visitor import NodeTransformer

from modelry.preprocessing import template_operations as operations
from modelry.preprocessing.template_budget import budget


class TemplateNamespace(Namespace):
    """A namespace that holds no private names and does not print what it holds."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, values = args[0], dict(*args[1:], **kwargs)
        for name in values:
            _check_public(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_public(name)
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        return "<namespace>"


class GenerationBlocks(Extension):
    """{% generation %} ... {% endgeneration %}: what the assistant wrote."""

    tags = {"generation"}  # noqa: RUF012 - Jinja declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        """Make the block a call of `mark`."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("mark"), [], [], body).set_lineno(line)

    def mark(self, caller: Callable[[], str]) -> str:
        """Note where the block's text begins and ends."""
        text = caller()
        spans: GenerationSpans = self.environment.spans  # type: ignore[attr-defined]  # our environment has spans
        spans.add(len(text))
        return text


class GenerationSpans:
    """Where the assistant's text stands in what has been written, as (start, end) characters."""

    def __init__(self) -> None:
        self.position = 0
        self.found: list[tuple[int, int]] = []

    def add(self, length: int) -> None:
        """A block of this length comes next."""
        self.found.append((self.position, self.position + length))


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Made for one rendering: `spans` belongs to it."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, optimized=False, extensions=[GenerationBlocks, LoopControls]
        )
        self.spans = GenerationSpans()
        self.filters.update(operations.REPLACED)
        for name in operations.REMOVED:
            del self.filters[name]
        self.filters = {name: _counted(name, one) for name, one in self.filters.items()}
        del self.globals["lipsum"]
        self.globals.update(raise_exception=_raise, strftime_now=_strftime_now, dict=_dict, namespace=TemplateNamespace)
        self._functions = [*self.globals.values(), self.made, self.step, self.join_parts]

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Join what was written inside a macro or a block assignment."""
        return operations.joined(parts)

    def step(self) -> bool:
        """One round of a loop."""
        budget().step()
        return True

    def made(self, value: Any) -> Any:
        """A list, a dictionary or a slice that the template wrote."""
        return budget().made(value)

    def join_parts(self, *parts: Any) -> str:
        """The ~ operator."""
        return operations.joined(parts)

    def _generate(self, source: nodes.Template, *arguments: Any, **named: Any) -> str:
        """Jinja's hook before code is made: put the counting in."""
        counted = _Counting().visit(source)
        return super()._generate(counted, *arguments, **named)

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        """Private attributes end the rendering, also where nothing is done with them."""
        raise SecurityError(f"it reaches for {attribute!r} of a {type(obj).__name__}")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operator that can make much out of little."""
        operations.binary(operator, left, right)
        return budget().made(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """str.format, checked."""
        plain = super().wrap_str_format(value)
        return None if plain is None else _Format(plain, str(value.__self__))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what may be called."""
        if __obj == __self.step:
            return __self.step()
        budget().step()
        given = {name: value for name, value in kwargs.items() if name not in ("_loop_vars", "_block_vars")}
        new = __self._foresee(__obj, args, given)  # without the two that Jinja's compiler adds
        result = super().call(__context, __obj, *args, **kwargs)
        return budget().made(result) if new else result

    def _foresee(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Check a call before it happens.

        Returns:
            Whether the result is a new value.

        Raises:
            SecurityError: this function is none of a template's business.
        """
        if isinstance(function, Macro | LoopContext | BlockReference | Joiner | Undefined | _Format):
            return False
        if any(function is one or function == one for one in self._functions):
            return True
        if isinstance(function, BuiltinMethodType | MethodType):
            owner, name = function.__self__, function.__name__
            if isinstance(owner, Cycler | LoopContext | Extension | TemplateEnvironment):
                return False
            if isinstance(owner, str) and name in operations.STRING_METHODS:
                check = operations.STRING_METHODS[name]
                if check is not None:
                    check(owner, *args, **kwargs)
                return True
            if name in operations.METHODS.get(type(owner), ()):
                return name != "get"
        raise SecurityError(f"it calls {getattr(function, '__qualname__', type(function).__name__)}")


class _Format:
    """str.format of one string."""

    def __init__(self, plain: Callable[..., str], text: str) -> None:
        self._plain, self._text = plain, text

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        operations.brace_format(self._text, [args, kwargs])
        made: str = budget().made(self._plain(*args, **kwargs))
        return made


class _Counting(NodeTransformer):
    """Writes the counting into a parsed template."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Every round is a step, the ones that the loop's condition skips too."""
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_own("step")).set_lineno(node.lineno))
        if node.test is not None:
            node.test = nodes.And(_own("step"), node.test)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """The ~ operator, for which Jinja has no hook."""
        self.generic_visit(node)
        return _own("join_parts", *node.nodes)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        """A list that may hold itself many times over, under other names."""
        self.generic_visit(node)
        return node if all(isinstance(one, nodes.Const) for one in node.items) else _own("made", node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        """The same for tuples that are values, not the targets of an assignment."""
        self.generic_visit(node)
        plain = node.ctx != "load" or all(isinstance(one, nodes.Const) for one in node.items)
        return node if plain else _own("made", node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        """The same for dictionaries."""
        self.generic_visit(node)
        return _own("made", node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """Slices copy."""
        self.generic_visit(node)
        return _own("made", node) if isinstance(node.arg, nodes.Slice) else node


def _own(name: str, *arguments: nodes.Expr) -> nodes.Expr:
    """A call of one of the environment's own methods."""
    return nodes.Call(nodes.EnvironmentAttribute(name), list(arguments), [], None, None)


def _counted(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that spends from the budget."""
    skipped = 1 if hasattr(plain, "jinja_pass_arg") else 0
    foresee = operations.FORESEEN.get(name)

    @wraps(plain)
    def counted(*args: Any, **kwargs: Any) -> Any:
        budget().step()
        if foresee is not None:
            foresee(*args[skipped:], **kwargs)
        result = plain(*args, **kwargs)
        return result if name in operations.EXISTING or result is args[skipped] else budget().made(result)

    return counted


def _check_public(name: object) -> None:
    if not isinstance(name, str) or name.startswith("_"):
        raise SecurityError(f"it keeps a value under the private name {name!r:.40}")


def _raise(message: object) -> NoReturn:
    """What templates call when the messages are not as they must be."""
    raise jinja2.TemplateError(str(message))


def _strftime_now(format: str) -> str:
    """The time now, as templates write today's date."""
    if len(format) > 100:
        raise jinja2.TemplateError("strftime_now takes a format of at most 100 characters")
    return datetime.now().strftime(format)


def _dict(*pairs: Iterable[Any], **values: Any) -> dict[Any, Any]:
    """dict(), without what hangs on the type."""
    return dict(*pairs, **values)
