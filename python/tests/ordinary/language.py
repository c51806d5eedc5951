"""The language itself: statements, functions, comprehensions, generators, pattern matching, text formatting."""

PROGRAMS = {
    "recursion": ("def fact(n): return 1 if n < 2 else n * fact(n - 1)\nresult = fact(20)", 2432902008176640000),
    "mutual recursion": (
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\nresult = [even(10), odd(7)]",
        [True, True],
    ),
    "hanoi": (
        "moves = []\ndef hanoi(n, a, b, c):\n if n:\n  hanoi(n - 1, a, c, b)\n  moves.append(a + c)\n  hanoi(n - 1, b, a, c)\n"
        "hanoi(3, 'A', 'B', 'C')\nresult = moves",
        ["AC", "AB", "CB", "AC", "BA", "BC", "AC"],
    ),
    "ackermann": ("def a(m, n): return n + 1 if m == 0 else a(m - 1, 1) if n == 0 else a(m - 1, a(m, n - 1))\nresult = a(2, 3)", 9),
    "closures": (
        "def counter():\n n = 0\n def step():\n  nonlocal n\n  n += 1\n  return n\n return step\nc = counter()\nc()\nresult = c()",
        2,
    ),
    "global statement": ("total = 0\ndef add(x):\n global total\n total += x\nfor i in range(4): add(i)\nresult = total", 6),
    "default and keyword arguments": ("def f(a, b=2, /, c=3, *d, e, g=5, **k): return [a, b, c, list(d), e, g, k]\nresult = f(1, e=4, h=6)",
                                      [1, 2, 3, [], 4, 5, {"h": 6}]),
    "star calls": ("def f(*a, **k): return [a, k]\nresult = f(*[1, 2], *(3,), **{'x': 1}, y=2)", [[1, 2, 3], {"x": 1, "y": 2}]),
    "unpacking": ("a, *b, (c, d) = 1, 2, 3, (4, 5)\nresult = [a, b, c, d, [*b, *[0]], {**{'k': 1}}]", [1, [2, 3], 4, 5, [2, 3, 0], {"k": 1}]),
    "comprehensions": (
        "result = [[x * y for x in range(3) if x] for y in (1, 2)], {k: v for v, k in enumerate('ab')}, sorted({x % 3 for x in range(9)})",
        [[[1, 2], [2, 4]], {"a": 0, "b": 1}, [0, 1, 2]],
    ),
    "comprehension over a top-level name in a function": ("k = 3\ndef f(): return [k * x for x in range(3)]\nresult = f()", [0, 3, 6]),
    "nested comprehension scopes": ("m = [[1, 2], [3, 4]]\nresult = [[row[i] for row in m] for i in range(2)]", [[1, 3], [2, 4]]),
    "generator": ("def gen(n):\n for i in range(n):\n  yield i * i\nresult = sum(gen(5))", 30),
    "generator with send": (
        "def avg():\n total = n = 0\n value = None\n while True:\n  x = yield value\n  total += x\n  n += 1\n  value = total / n\n"
        "g = avg()\nnext(g)\ng.send(10)\nresult = g.send(20)",
        15.0,
    ),
    "generator with throw and close": (
        "log = []\ndef g():\n try:\n  while True:\n   try: yield 1\n   except ValueError: log.append('value')\n finally: log.append('end')\n"
        "x = g()\nnext(x)\nx.throw(ValueError)\nx.close()\nresult = log",
        ["value", "end"],
    ),
    "yield from and its value": ("def a():\n yield 1\n return 2\ndef b():\n x = yield from a()\n yield x\nresult = list(b())", [1, 2]),
    "infinite generator": (
        "def primes():\n found = []\n n = 2\n while True:\n  if all(n % p for p in found):\n   found.append(n)\n   yield n\n  n += 1\n"
        "p = primes()\nresult = [next(p) for _ in range(6)]",
        [2, 3, 5, 7, 11, 13],
    ),
    "async driven by hand": (
        "async def inner(x): return x * 2\nasync def outer(): return await inner(4) + 1\nc = outer()\n"
        "try: c.send(None)\nexcept StopIteration as stop: result = stop.value",
        9,
    ),
    "async generator by hand": (
        "async def numbers():\n for i in range(3): yield i\nasync def total():\n s = 0\n async for n in numbers(): s += n\n return s\n"
        "try: total().send(None)\nexcept StopIteration as stop: result = stop.value",
        3,
    ),
    "awaitable class": (
        "class Later:\n def __await__(self):\n  got = yield 'ask'\n  return got + 1\nasync def main(): return await Later()\nc = main()\n"
        "first = c.send(None)\ntry: c.send(41)\nexcept StopIteration as stop: result = [first, stop.value]",
        ["ask", 42],
    ),
    "async context manager by hand": (
        "log = []\nclass C:\n async def __aenter__(self): log.append('in'); return self\n async def __aexit__(self, *e): log.append('out')\n"
        "async def main():\n async with C(): log.append('body')\ntry: main().send(None)\nexcept StopIteration: result = log",
        ["in", "body", "out"],
    ),
    "decorator": (
        "def twice(f):\n def g(*a, **k): return f(f(*a, **k))\n return g\n@twice\ndef inc(x): return x + 1\nresult = inc(5)",
        7,
    ),
    "decorator with arguments": (
        "import functools\ndef repeat(n):\n def deco(f):\n  @functools.wraps(f)\n  def g(*a): return [f(*a) for _ in range(n)]\n  return g\n return deco\n"
        "@repeat(3)\ndef hello(name):\n 'Says hello.'\n return 'hi ' + name\nresult = [hello('x'), hello.__name__, hello.__doc__]",
        [["hi x"] * 3, "hello", "Says hello."],
    ),
    "class as a decorator": (
        "class Memo:\n def __init__(self, f): self.f, self.seen = f, {}\n def __call__(self, n):\n  if n not in self.seen: self.seen[n] = self.f(n)\n"
        "  return self.seen[n]\n@Memo\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\nresult = fib(50)",
        12586269025,
    ),
    "lambda, map, filter, sorted": ("result = sorted(filter(lambda x: x % 2, map(lambda x: x * 3, range(6))), key=lambda x: -x)", [15, 9, 3]),
    "walrus": ("data = [1, 5, 9]\nresult = [y for x in data if (y := x * 2) > 5]\nwhile (n := len(data)) > 1: data.pop()\nresult.append(n)", [10, 18, 1]),
    "conditional expressions and chained comparison": ("x = 5\nresult = ['low' if x < 3 else 'mid' if 3 <= x < 7 else 'high', 1 < x < 10]", ["mid", True]),
    "while, else, break, continue": (
        "out = []\nfor i in range(10):\n if i == 2: continue\n if i == 5: break\n out.append(i)\nelse: out.append('never')\n"
        "for i in []: pass\nelse: out.append('else')\nresult = out",
        [0, 1, 3, 4, "else"],
    ),
    "try, except, else, finally": (
        "log = []\ndef f(x):\n try: 10 / x\n except ZeroDivisionError as e: log.append(str(e))\n else: log.append('ok')\n finally: log.append('end')\n"
        "f(0)\nf(1)\nresult = log",
        ["division by zero", "end", "ok", "end"],
    ),
    "own exceptions and chaining": (
        "class PlantError(Exception):\n def __init__(self, tag, code):\n  super().__init__(f'{tag}: {code}')\n  self.tag = tag\n"
        "try:\n try: {}['x']\n except KeyError as e: raise PlantError('T1', 7) from e\nexcept PlantError as e:\n"
        " result = [str(e), e.tag, type(e.__cause__).__name__, e.args[0]]",
        ["T1: 7", "T1", "KeyError", "T1: 7"],
    ),
    "exception groups": (
        "out = []\ntry: raise ExceptionGroup('many', [ValueError('a'), TypeError('b'), ValueError('c')])\n"
        "except* ValueError as g: out.append([str(e) for e in g.exceptions])\nexcept* TypeError as g: out.append(len(g.exceptions))\nresult = out",
        [["a", "c"], 1],
    ),
    "notes on exceptions": ("try:\n e = ValueError('x')\n e.add_note('unit 4')\n raise e\nexcept ValueError as e: result = e.__notes__", ["unit 4"]),
    "assert": ("try:\n assert 1 > 2, 'no'\nexcept AssertionError as e: result = str(e)", "no"),
    "match on literals and guards": (
        "def f(x):\n match x:\n  case 0 | 1: return 'small'\n  case int() if x < 0: return 'negative'\n  case str(s): return s.upper()\n"
        "  case None: return 'none'\n  case _: return 'other'\nresult = [f(1), f(-3), f('a'), f(None), f(2.5)]",
        ["small", "negative", "A", "none", "other"],
    ),
    "match on sequences and mappings": (
        "def f(x):\n match x:\n  case []: return 'empty'\n  case [a]: return a\n  case [a, *rest, z]: return [a, rest, z]\n"
        "  case {'tag': t, 'value': v, **more}: return [t, v, more]\n"
        "result = [f([]), f([1]), f([1, 2, 3, 4]), f({'tag': 'T', 'value': 5, 'q': 192})]",
        ["empty", 1, [1, [2, 3], 4], ["T", 5, {"q": 192}]],
    ),
    "match on classes": (
        "class Point:\n __match_args__ = ('x', 'y')\n def __init__(self, x, y): self.x, self.y = x, y\n"
        "def f(p):\n match p:\n  case Point(0, 0): return 'origin'\n  case Point(x=0, y=y): return y\n  case Point(x, y) as q: return [x, y, q is p]\n"
        "result = [f(Point(0, 0)), f(Point(0, 3)), f(Point(1, 2))]",
        ["origin", 3, [1, 2, True]],
    ),
    "names that look forbidden": (
        "direction = 'profile'  # open the file, eval it, exec os.system, __class__\nevaluate = executor = compiled = reopen = inputs = 1\n"
        "def opening(profile): return profile\nimporter = {'open': 1, 'eval': 2, '__class__': 3}\nresult = [direction, importer['open'], opening(evaluate)]",
        ["profile", 1, 1],
    ),
    "forbidden words in texts": (
        "'''open eval exec __import__('os') import sys'''\ntext = 'import os; eval(open(\"x\"))'\nresult = [len(text), 'eval' in text, f'open {text[:6]}']",
        [26, True, "open import"],
    ),
    "names of builtins as own names": (
        "input = 3\ndef compile(x): return x + input\nclass Valve:\n def open(self): return 'opened'\n def eval(self): return 1\n"
        "def vars(): return 5\nresult = [compile(1), Valve().open(), Valve().eval(), vars()]",
        [4, "opened", 1, 5],
    ),
    "tag names ending in os and sys": ("pos = complex(1, 2)\naxis_sys = {'os': 1}\nresult = [pos.real, axis_sys['os'], 'socketserver']", [1.0, 1, "socketserver"]),
    "percent formatting": ("result = '%05.1f|%-6s|%x|%+d|%(a)s' % {'a': 1} if 0 else '%05.1f|%-6s|%x|%+d|%%' % (3.14159, 'ab', 255, 7)", "003.1|ab    |ff|+7|%"),
    "percent formatting by name": ("result = '%(tag)s=%(value).2f' % {'tag': 'T1', 'value': 1.005}", "T1=1.00"),
    "str.format": ("result = '{:>8.2f}|{0!r:<6}|{name[1]}'.format(3.14159, name=[1, 2]) if 0 else '{0:>8.2f}|{1!r:<6}|{name[1]}|{c.real}'.format(3.14159, 'a', name=[1, 2], c=1j)",
                   "    3.14|'a'   |2|0.0"),
    "str.format of a variable": ("row = '{tag:<5}{value:>7.1f}'\nresult = [row.format(tag=t, value=v) for t, v in [('A', 1), ('B', 22.25)]]", ["A        1.0", "B       22.2"]),
    "str.format of attributes": (
        "class Tag:\n def __init__(self): self.name, self._unit, self.values = 'T1', 'C', [1, 2]\n"
        "line = '{0.name} {0.values[1]} {0._unit} {0.__class__.__name__}'\nresult = [line.format(Tag()), str.format('{}-{}', 1, 2)]",
        ["T1 2 C Tag", "1-2"],
    ),
    "format_map": ("class Safe(dict):\n def __missing__(self, k): return '?' + k\nt = '{a} {b}'\nresult = t.format_map(Safe(a=1))", "1 ?b"),
    "own format method": (
        "class Money:\n def __init__(self, v): self.v = v\n def __format__(self, spec): return format(self.v, spec or '.2f') + ' EUR'\n"
        " def format(self, places): return round(self.v, places)\nm = Money(3.14159)\nresult = [f'{m}', f'{m:.0f}', m.format(1), '{:.1f}'.format(m)]",
        ["3.14 EUR", "3 EUR", 3.1, "3.1 EUR"],
    ),
    "f-strings": (
        "x, w = 3.14159, 8\nd = {'k': 'v'}\nresult = [f'{x:{w}.2f}', f'{x!r}', f'{x=:.1f}', f'{d[\"k\"]}', f'{{}}', f'{1_000_000:,}', f'{255:#06x}', f'{0.125:.1%}']",
        ["    3.14", "3.14159", "x=3.1", "v", "{}", "1,000,000", "0x00ff", "12.5%"],
    ),
    "bytes and encodings": ("b = 'Ärger °C'.encode()\nresult = [len(b), b.decode(), b[:2].hex(), bytes.fromhex('00ff')[1], bytearray(b'ab')[0]]", [10, "Ärger °C", "c384", 255, 97]),
    "integers": ("result = [7 // 2, -7 // 2, divmod(-7, 3), 2 ** 100, 0b1010 & 0x6, int('ff', 16), (255).bit_length(), round(2.5), 10 .to_bytes(2, 'big').hex()]",
                 [3, -4, [-3, 2], 2**100, 2, 255, 8, 2, "000a"]),
    "floats": ("result = [0.1 + 0.2, round(2.675, 2), float('inf') > 1, (0.5).as_integer_ratio(), 1e16 + 1, -0.0 == 0]", [0.30000000000000004, 2.67, True, [1, 2], 1e16, True]),
    "sets and dictionaries": ("a, b = {1, 2, 3}, {2, 3, 4}\nd = dict(zip('ab', (1, 2)))\nd |= {'c': 3}\nd.setdefault('e', []).append(5)\nresult = [sorted(a & b), sorted(a ^ b), a <= {1, 2, 3, 4}, d, d.pop('zz', 0)]",
                              [[2, 3], [1, 4], True, {"a": 1, "b": 2, "c": 3, "e": [5]}, 0]),
    "slices and sorting": ("x = list(range(10))\nx[2:4] = []\ndel x[::3]\nresult = [x, x[::-1], sorted(['b', 'A', 'c'], key=str.lower), max('abc', key=ord)]", [[1, 4, 6, 7, 9], [9, 7, 6, 4, 1], ["A", "b", "c"], "c"]),
    "string methods": ("s = ' Pump-07; Running '\nresult = [s.strip().split('; '), s.strip().lower().title(), 'a,b,,c'.split(','), 'x'.join('abc'), 'abc'.translate(str.maketrans('ab', 'ba')), '7'.zfill(3), 'tag'.partition('a')]",
                       [["Pump-07", "Running"], "Pump-07; Running", ["a", "b", "", "c"], "axbxc", "bac", "007", ["t", "a", "g"]]),
    "main guard": ("def main(): return 7\nif __name__ == '__main__': result = main()", 7),
    "print and results": ("print('a', 1, sep='-', end='!')\nprint()\nresult = print('x') is None", True),
    "getattr and its like": (
        "class Tag: unit = 'C'\nt = Tag()\nsetattr(t, 'value', 5)\ndelattr(t, 'value')\nresult = [getattr(t, 'unit'), getattr(t, 'x', None), hasattr(t, 'value'), 'unit' in dir(t), callable(t)]",
        ["C", None, False, True, False],
    ),
    "type and isinstance": ("result = [type(1).__name__, isinstance(True, int), issubclass(bool, int), type('x') is str, type([]) == list]", ["int", True, True, True, True]),
    "iterators": ("it = iter([1, 2, 3])\nresult = [next(it), list(it), next(it, 'end'), list(iter(lambda c=[3]: c.append(0) or len(c), 4)), list(zip('ab', range(9))), list(reversed((1, 2))), any([]), all([])]",
                  [1, [2, 3], "end", [2, 3], [["a", 0], ["b", 1]], [2, 1], False, True]),
    "type parameters written the old way": ("from typing import TypeVar, Generic\nT = TypeVar('T')\nclass Box(Generic[T]):\n def __init__(self, v: T) -> None: self.v = v\nresult = Box[int](5).v", 5),
    "docstrings and annotations": ("def f(x: int, y: 'str' = 'a') -> float:\n 'Adds.'\n return x\nresult = [f.__doc__, sorted(f.__annotations__), f.__name__, f.__qualname__]", ["Adds.", ["return", "x", "y"], "f", "f"]),
}  # fmt: skip
