"""Hostile chat templates end in TemplateError, quickly and without eating memory; honest ones are not disturbed."""

import resource
import time

import pytest

from modelry.errors import TemplateError
from modelry.preprocessing.chat_template import LONGEST_TEMPLATE, render

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ['a']|map(attribute='__class__')|list }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'x'}) }}",
    "{{ messages[0].pop('role') }}",
    "{{ namespace(__class__=1) }}",
    "{% set ns = namespace() %}{% set ns.__init__ = 3 %}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ raise_exception.__globals__ }}",
    "{{ range.mro() }}",
    "{{ joiner.mro() }}",
    "{{ dict.mro() }}",
    "{{ lipsum.__globals__ }}",
    "{{ (1).to_bytes(10, 'big') }}",
    "{{ 'a'.encode() }}",
    "{{ cycler('a').next.__func__ }}",
    "{{ messages[0].content.upper.__self__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends '/etc/passwd' %}",
    "{% for x in messages %}{{ loop._iterator.gi_frame }}{% endfor %}",
    "{{ strftime_now.__code__ }}",
]

GROW = "{% set ns = namespace(s='ab', l=[1], d={}) %}{% for i in range(100) %}{% set ns.s = STEP %}{% endfor %}"

KEEP = "".join(f"{{% set a{n} = 'a' * 4000000 ~ {n} %}}" for n in range(500))
"""Each value is allowed, all together are 2 GB."""

BOMBS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) if false %}{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{{ range(100000)|list|length }}{% endfor %}",
    "{% for i in range(100000) %}{% if 'b' in 'a' * 4000000 %}{% endif %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(80) }}",
    "{% for x in [[]] recursive %}{{ loop([[]]) }}{% endfor %}",
    "{{ 'a' * 10**10 }}",
    "{{ ['a' * 1000] * 100000 }}",
    "{{ 10**(10**10) }}",
    "{% macro f(n, x) %}{% if n %}{{ f(n - 1, 'a' * 4000000 ~ n) }}{% endif %}{% endmacro %}{{ f(200, 1) }}",
    KEEP,
    "{{ 3**(3**(3**9)) }}",
    "{% set x = 9**9000 %}{{ (x*x*x*x*x)|string }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ '1'.zfill(1000000000) }}",
    "{{ '\t'.expandtabs(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%.1000000000f' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%1000000000s'|format('a') }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ ('{0}' * 1000000).format('a' * 1000000) }}",
    "{{ ('%9999d' * 100000) % ([1] * 100000) }}",
    "{{ 'ab'|wordwrap(1, wrapstring='x' * 3000000) }}",
    "{{ [1]|batch(1000000000, 'x')|list }}",
    "{{ [1]|slice(1000000000)|list }}",
    "{{ ('a\n' * 1000000)|indent(10000) }}",
    "{{ ([[1] * 1000] * 4000)|sum(start=[]) }}",
    "{{ [1]|tojson(indent=1000000000) }}",
    "{{ 1|round(1000000000, 'ceil') }}",
    "{{ range(100000)|map('string')|map('center', 10000)|join }}",
    "{{ range(100000)|join('a' * 1000000) }}",
    "{{ ('a' * 1000000).replace('a', 'b' * 1000) }}",
    "{{ ('a' * 1000000).replace('', 'b' * 1000) }}",
    "{{ ('a' * 1000000)|replace('a', 'b' * 1000) }}",
    "{{ ('a' * 1000000).join(['b'] * 100000) }}",
    GROW.replace("STEP", "ns.s ~ ns.s"),
    GROW.replace("STEP", "ns.s + ns.s"),
    GROW.replace("STEP", "ns.s * 2"),
    GROW.replace("STEP", "ns.s.replace('a', 'aaaa').replace('b', 'bbbb')"),
    GROW.replace("STEP", "[ns.s, ns.s]|join(ns.s)"),
    GROW.replace("STEP", "ns.s.join([ns.s, ns.s])"),
    GROW.replace("STEP", "[ns.s, ns.s]"),
    GROW.replace("STEP", "(ns.s, ns.s)"),
    GROW.replace("STEP", "{'a': ns.s, 'b': ns.s}"),
    GROW.replace("STEP", "{'a': ns.s, 'b': ns.s}.items()"),
    GROW.replace("STEP", "dict(a=ns.s, b=ns.s)"),
    GROW.replace("STEP", "'%s%s' % (ns.s, ns.s)"),
    GROW.replace("STEP", "'{0}{0}'.format(ns.s)"),
    GROW.replace("STEP", "ns.s|tojson|tojson"),
    "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{% set x = f(n-1) %}{{ x }}{{ x }}{% else %}ab{% endif %}{% endmacro %}{{ f(90) }}",
    "{% for i in range(100000) %}{{ 'x' * 4000000 }}{% endfor %}",
    "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = ns.l + ['x' * 100000 ~ i] %}{% endfor %}",
    "{{ " + "(" * 5000 + ")" * 5000 + " }}",
    "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "{{ 1" + "+1" * 50_000 + " }}",
    "{% if 1 %}" * 300 + "{% endif %}" * 300,
    "{{ strftime_now('%' * 1000) }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_escapes(template: str) -> None:
    with pytest.raises(TemplateError, match=r"^the template "):
        render(template, {"messages": [{"role": "user", "content": "hi"}]}, where="the template")


@pytest.mark.parametrize("template", BOMBS, ids=[bomb[:60] for bomb in BOMBS])
def test_bombs(template: str) -> None:
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
    with pytest.raises(TemplateError, match=r"^the template "):
        render(template, {"messages": [{"role": "user", "content": "hi"}]}, where="the template")
    assert time.thread_time() - begun < 12
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\nb {{ raise_exception('no system role') }}", "says in line 2: no system role"),
        ("{% if %}", "not a valid template: line 1"),
        ("\n\n{{ messages[5].role }}", "line 3: list object has no element 5|says in line 3"),
        ("{{ 1 + 'a' }}", "fails in line 1: TypeError"),
        ("{{ undefined_function() }}", "'undefined_function' is undefined"),
        ("{{ 'a'.encode() }}", "tries to leave its sandbox in line 1: it calls str.encode"),
        ("{{ 'a'|xmlattr }}", "No filter named 'xmlattr'"),
        ("x" * (LONGEST_TEMPLATE + 1), "has 1,000,001 characters"),
    ],
)
def test_errors_say_where(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(template, {"messages": []}, where="the template")


def test_a_long_honest_conversation() -> None:
    """A thousand messages, a megabyte, a template that builds its text in a namespace, which is the costly way."""
    messages = [{"role": "user" if n % 2 else "assistant", "content": f"{n} " * 250} for n in range(1000)]
    template = (
        "{% set ns = namespace(text='') %}{% for m in messages %}"
        "{% set ns.text = ns.text + '<' + m.role + '>' + m.content.strip().replace('7', 'seven') + '\n' %}"
        "{% endfor %}{{ ns.text }}"
    )
    wanted = "".join(f"<{m['role']}>{m['content'].strip().replace('7', 'seven')}\n" for m in messages)
    assert render(template, {"messages": messages}, where="t").text == wanted


def test_what_templates_use_still_works() -> None:
    cases = {
        "{{ [1, 2]|sum }} {{ [3, 1]|sort|join('-') }} {{ 'ab'.center(4) }}|{{ 'x'|indent(2, true) }}": "3 1-3  ab |  x",
        "{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %}": "a=1",
        "{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}": "11,23",
        "{{ 'a,b'.split(',')[::-1] }} {{ 2 ** 10 }} {{ 7 % 4 }} {{ 'a' ~ 1 ~ none }}": "['b', 'a'] 1024 3 a1None",
        "{{ {'b': '<ü>', 'a': 1}|tojson }}": '{"b": "<ü>", "a": 1}',
        "{{ {'b': 1, 'a': 2}|tojson(sort_keys=true, separators=(',', ':')) }}": '{"a":2,"b":1}',
        "{{ {'b': [1]}|tojson(indent=2) }}": '{\n  "b": [\n    1\n  ]\n}',
        "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{% set j = joiner(';') %}{{ j() }}{{ j() }}": "ab;",
        "{% filter upper %}x{{ 'y' }}{% endfilter %}{% set z %}q{% endset %}{{ z }}": "XYq",
        "{% macro m(a, b=2) %}{{ a }}{{ b }}{{ caller() }}{% endmacro %}{% call m(1) %}!{% endcall %}": "12!",
        "{% for x in [[1, [2]]] recursive %}{{ x if x is number else loop(x) }}{% endfor %}": "12",
        "{{ ('a' if false) is undefined }} {{ x is defined }} {{ x|default('d') }}": "True False d",
        "{{ [{'a': 1}, {'a': 2}]|map(attribute='a')|list }} {{ ['x']|map('upper')|first }}": "[1, 2] X",
        "{{ [{'a': 1}, {'a': 1}]|groupby('a')|length }} {{ 'A b'|title|replace('A', 'C') }}": "1 C B",
        "{% for i in range(3) %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}": "02",
        "   {% if true %}\n  x\n   {% endif %}\ny": "  x\ny",
        "{{ '%s is %d%%' % ('a', 5) }} {{ '{} {b}'.format(1, b=2) }} {{ '{0:>4}'.format(7) }}": "a is 5% 1 2    7",
    }
    for template, wanted in cases.items():
        assert render(template, {}, where="t").text == wanted, template
