"""Classes with methods that Python calls, and the modules that help to write them."""

PROGRAMS = {
    "__init__ and __repr__": ("class A:\n def __init__(self, x): self.x = x\n def __repr__(self): return f'{self.__class__.__name__}({self.x!r})'\nresult = repr([A(1), A('b')])", "[A(1), A('b')]"),
    "__str__ and type(self)": ("class A:\n def __str__(self): return type(self).__name__ + '!'\nresult = [str(A()), f'{A()}']", ["A!", "A!"]),
    "__eq__ and __hash__": (
        "class P:\n def __init__(self, x): self.x = x\n def __eq__(self, o): return isinstance(o, P) and self.x == o.x\n def __hash__(self): return hash(self.x)\n"
        "result = [P(1) == P(1), P(1) != P(2), len({P(1), P(1), P(2)}), P(1) == 1]",
        [True, True, 2, False],
    ),
    "__lt__ and total_ordering": (
        "import functools\n@functools.total_ordering\nclass V:\n def __init__(self, *n): self.n = n\n def __eq__(self, o): return self.n == o.n\n def __lt__(self, o): return self.n < o.n\n"
        "result = [V(1, 2) < V(1, 3), V(2) >= V(1), [v.n for v in sorted([V(3), V(1)])]]",
        [True, True, [[1], [3]]],
    ),
    "__len__, __iter__, __getitem__, __contains__": (
        "class Ring:\n def __init__(self, *x): self.x = list(x)\n def __len__(self): return len(self.x)\n def __iter__(self): return iter(self.x)\n"
        " def __getitem__(self, i): return self.x[i % len(self)]\n def __contains__(self, v): return v in self.x\n def __bool__(self): return bool(self.x)\n"
        "r = Ring(1, 2, 3)\nresult = [len(r), list(r), r[4], 2 in r, bool(Ring()), sum(r)]",
        [3, [1, 2, 3], 2, True, False, 6],
    ),
    "__setitem__, __delitem__, __missing__": (
        "class D(dict):\n def __missing__(self, k): return k * 2\n def __setitem__(self, k, v): super().__setitem__(k, v + 1)\n def __delitem__(self, k): super().__delitem__(k)\n"
        "d = D()\nd[1] = 1\nd[2] = 5\ndel d[2]\nresult = [d[1], d[7], len(d)]",
        [2, 14, 1],
    ),
    "__next__": ("class Down:\n def __init__(self, n): self.n = n\n def __iter__(self): return self\n def __next__(self):\n  if not self.n: raise StopIteration\n  self.n -= 1\n  return self.n\nresult = list(Down(3))", [2, 1, 0]),
    "__enter__ and __exit__": (
        "class Lock:\n log = []\n def __enter__(self): self.log.append('in'); return self\n def __exit__(self, kind, value, trace): self.log.append(kind.__name__ if kind else 'out'); return True\n"
        "with Lock() as a, Lock(): a.log.append('body')\nwith Lock(): 1 / 0\nresult = Lock.log",
        ["in", "in", "body", "out", "out", "in", "ZeroDivisionError"],
    ),
    "__call__": ("class Scale:\n def __init__(self, k): self.k = k\n def __call__(self, x): return self.k * x\nresult = list(map(Scale(3), [1, 2]))", [3, 6]),
    "arithmetic methods": (
        "class Vec:\n def __init__(self, x, y): self.x, self.y = x, y\n def __add__(self, o): return Vec(self.x + o.x, self.y + o.y)\n def __sub__(self, o): return self + -o\n"
        " def __neg__(self): return Vec(-self.x, -self.y)\n def __mul__(self, k): return Vec(self.x * k, self.y * k)\n __rmul__ = __mul__\n"
        " def __matmul__(self, o): return self.x * o.x + self.y * o.y\n def __abs__(self): return (self @ self) ** 0.5\n def __iadd__(self, o): self.x += o.x; return self\n"
        " def __truediv__(self, k): return self * (1 / k)\n def __iter__(self): yield from (self.x, self.y)\n"
        "v = Vec(3, 4)\nw = v + v - Vec(1, 1)\nw += Vec(10, 0)\nresult = [list(w), list(2 * v), v @ v, abs(v), list(v / 2)]",
        [[15, 7], [6, 8], 25, 5.0, [1.5, 2.0]],
    ),
    "comparison and conversion methods": (
        "class T:\n def __init__(self, v): self.v = v\n def __int__(self): return int(self.v)\n def __float__(self): return float(self.v)\n def __index__(self): return int(self.v)\n"
        " def __round__(self, n=0): return round(self.v, n)\n def __ge__(self, o): return self.v >= o.v\n def __floordiv__(self, o): return self.v // o\n def __mod__(self, o): return self.v % o\n def __pow__(self, o): return self.v ** o\n"
        "t = T(7.5)\nresult = [int(t), float(t), [0] * 0 == list(range(0)), round(t, 0), t >= T(1), t // 2, t % 2, t ** 2, 'abcdefghij'[T(3)]]",
        [7, 7.5, True, 8.0, True, 3.0, 1.5, 56.25, "d"],
    ),
    "__getattr__ and __setattr__": (
        "class Rec:\n def __init__(self, **k): object.__setattr__(self, 'data', k)\n def __getattr__(self, n):\n  try: return self.data[n]\n  except KeyError: raise AttributeError(n) from None\n"
        " def __setattr__(self, n, v): self.data[n] = v\n def __delattr__(self, n): del self.data[n]\nr = Rec(a=1)\nr.b = 2\ndel r.a\nresult = [r.b, hasattr(r, 'a'), r.data]",
        [2, False, {"b": 2}],
    ),
    "__slots__": ("class S:\n __slots__ = ('x', 'y')\n def __init__(self): self.x = 1\ns = S()\ntry: s.z = 1\nexcept AttributeError: result = [s.x, hasattr(s, 'y'), S.__slots__]", [1, False, ["x", "y"]]),
    "__new__ singleton": ("class One:\n it = None\n def __new__(cls):\n  if cls.it is None: cls.it = super().__new__(cls)\n  return cls.it\nresult = One() is One()", True),
    "__init_subclass__ registry": ("class Driver:\n known = {}\n def __init_subclass__(cls, name=None, **k):\n  super().__init_subclass__(**k)\n  Driver.known[name] = cls\nclass Opc(Driver, name='opc'): pass\nclass Mod(Driver, name='modbus'): pass\nresult = sorted(Driver.known)", ["modbus", "opc"]),
    "__class_getitem__": ("class Reg:\n def __class_getitem__(cls, k): return f'{cls.__name__}[{k}]'\nresult = Reg[40001]", "Reg[40001]"),
    "metaclass": ("class Meta(type):\n def __new__(m, name, bases, ns, **k):\n  ns['tag'] = name.lower()\n  return super().__new__(m, name, bases, ns)\n def __len__(cls): return 3\nclass A(metaclass=Meta): pass\nresult = [A.tag, len(A)]", ["a", 3]),
    "type with three arguments": ("def hello(self): return 'hi ' + self.name\nT = type('T', (), {'name': 'x', 'hello': hello})\nresult = [T().hello(), T.__name__]", ["hi x", "T"]),
    "descriptor": (
        "class Positive:\n def __set_name__(self, owner, name): self.name = '_' + name\n def __get__(self, obj, owner=None): return getattr(obj, self.name)\n"
        " def __set__(self, obj, v):\n  if v <= 0: raise ValueError('must be positive')\n  setattr(obj, self.name, v)\n"
        "class Tank:\n level = Positive()\n def __init__(self, l): self.level = l\nt = Tank(5)\ntry: t.level = -1\nexcept ValueError as e: result = [t.level, str(e)]",
        [5, "must be positive"],
    ),
    "property": ("class C:\n def __init__(self): self._t = 0\n @property\n def f(self): return self._t * 9 / 5 + 32\n @f.setter\n def f(self, v): self._t = (v - 32) * 5 / 9\n @f.deleter\n def f(self): self._t = None\nc = C()\nc.f = 212\nx = c._t\ndel c.f\nresult = [x, c._t]", [100.0, None]),
    "static and class methods": ("class A:\n n = 0\n @staticmethod\n def s(x): return x\n @classmethod\n def make(cls): cls.n += 1; return cls()\nA.make()\nresult = [A.s(3), A.n, isinstance(A.make(), A)]", [3, 1, True]),
    "inheritance and super": ("class A:\n def f(self): return ['A']\nclass B(A):\n def f(self): return ['B'] + super().f()\nclass C(A):\n def f(self): return ['C'] + super().f()\nclass D(B, C):\n def f(self): return ['D'] + super(D, self).f()\nresult = D().f()", ["D", "B", "C", "A"]),
    "abstract base class": ("from abc import ABC, abstractmethod\nclass Shape(ABC):\n @abstractmethod\n def area(self): ...\nclass Sq(Shape):\n def __init__(self, a): self.a = a\n def area(self): return self.a ** 2\ntry: Shape()\nexcept TypeError as e: result = [Sq(3).area(), 'abstract' in str(e)]", [9, True]),
    "virtual subclass": ("import abc\nclass P(abc.ABC):\n @classmethod\n def __subclasshook__(cls, c): return hasattr(c, 'run') or NotImplemented\nclass X:\n def run(self): pass\nresult = [issubclass(X, P), isinstance(1, P)]", [True, False]),
    "mixin and name mangling": ("class M:\n def __secret(self): return 1\n def get(self): return self.__secret()\nclass A(M):\n def __secret(self): return 2\nresult = [A().get(), A()._A__secret()]", [1, 2]),
    "dataclass": ("from dataclasses import dataclass, field, asdict, replace, astuple, fields\n@dataclass\nclass Tag:\n name: str\n value: float = 0.0\n notes: list = field(default_factory=list)\nt = Tag('T1', 2)\nresult = [asdict(t), replace(t, value=3).value, t == Tag('T1', 2), str(t), [f.name for f in fields(t)], astuple(t)]",
                  [{"name": "T1", "value": 2, "notes": []}, 3, True, "Tag(name='T1', value=2, notes=[])", ["name", "value", "notes"], ["T1", 2, []]]),
    "frozen ordered dataclass": ("from dataclasses import dataclass, FrozenInstanceError\n@dataclass(frozen=True, order=True, slots=True)\nclass P:\n x: int\n y: int = 1\ntry: P(1).x = 2\nexcept FrozenInstanceError: result = [P(1) < P(2), hash(P(1)) == hash(P(1)), sorted([P(2), P(1)])[0].x]", [True, True, 1]),
    "dataclass with __post_init__ and InitVar": ("from dataclasses import dataclass, field, InitVar, KW_ONLY\n@dataclass\nclass R:\n w: float\n _: KW_ONLY\n h: float = 2\n unit: InitVar[str] = 'm'\n area: float = field(init=False)\n def __post_init__(self, unit): self.area = self.w * self.h * (1 if unit == 'm' else 1e-6)\nresult = [R(3).area, R(3, h=3).area]", [6, 9]),
    "dataclass inheritance and matching": ("from dataclasses import dataclass\n@dataclass\nclass A:\n x: int\n@dataclass\nclass B(A):\n y: int = 2\nmatch B(1):\n case B(x, y): result = [x, y, isinstance(B(1), A)]", [1, 2, True]),
    "dataclass with text annotations": ("from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import Optional\n@dataclass\nclass Node:\n v: int\n next: Optional[Node] = None\nresult = Node(1, Node(2)).next.v", 2),
    "make_dataclass": ("from dataclasses import make_dataclass, field\nP = make_dataclass('P', [('x', int), ('_y', int, field(default=5))])\nresult = str(P(1))", "P(x=1, _y=5)"),
    "dataclass of private fields": ("from dataclasses import dataclass\n@dataclass(order=True)\nclass A:\n _a: int\n b_: str = 'x'\nresult = [str(A(1)), A(1) < A(2)]", ["A(_a=1, b_='x')", True]),
    "Enum": ("from enum import Enum, unique\n@unique\nclass State(Enum):\n STOP = 0\n RUN = 1\n @property\n def is_on(self): return self is State.RUN\nresult = [State(1).name, State['STOP'].value, [s.name for s in State], State.RUN.is_on, State.RUN in State, len(State), sorted(State.__members__)]",
             ["RUN", 0, ["STOP", "RUN"], True, True, 2, ["RUN", "STOP"]]),
    "IntEnum and auto": ("import enum\nclass Prio(enum.IntEnum):\n LOW = enum.auto()\n HIGH = enum.auto()\nresult = [Prio.LOW < Prio.HIGH, Prio.HIGH + 1, max(Prio).name]", [True, 3, "HIGH"]),
    "Flag": ("from enum import Flag, auto\nclass Q(Flag):\n GOOD = auto()\n LIMIT = auto()\n STALE = auto()\nq = Q.GOOD | Q.STALE\nresult = [Q.GOOD in q, Q.LIMIT in q, (q & ~Q.STALE) is Q.GOOD, q.value]", [True, False, True, 5]),
    "StrEnum and functional Enum": ("from enum import Enum, StrEnum\nclass U(StrEnum):\n C = 'celsius'\nA = Enum('A', 'ONE TWO')\nresult = [U.C + '!', A.TWO.value]", ["celsius!", 2]),
    "namedtuple": ("from collections import namedtuple\nP = namedtuple('P', 'x y z', defaults=[0])\np = P(1, 2)\nresult = [p.x, p[1], p._replace(z=9).z, p._asdict(), P._fields, str(p), P._make([1, 2, 3]).z]", [1, 2, 9, {"x": 1, "y": 2, "z": 0}, ["x", "y", "z"], "P(x=1, y=2, z=0)", 3]),
    "NamedTuple": ("from typing import NamedTuple\nclass R(NamedTuple):\n tag: str\n value: float = 0.0\n def scaled(self, k): return self._replace(value=self.value * k)\nresult = R('a', 2.0).scaled(3).value", 6.0),
    "TypedDict, Literal, Protocol": ("from typing import TypedDict, Literal, Protocol, runtime_checkable, Any, Callable, Union\nclass Row(TypedDict):\n tag: str\n@runtime_checkable\nclass Runs(Protocol):\n def run(self) -> None: ...\nclass X:\n def run(self): pass\nr: Row = {'tag': 'a'}\nmode: Literal['a', 'b'] = 'a'\nf: Callable[[int], Union[int, Any]] = lambda x: x\nresult = [r, isinstance(X(), Runs), isinstance(1, Runs), f(2)]", [{"tag": "a"}, True, False, 2]),
    "generic class": ("from typing import Generic, TypeVar, Iterator\nT = TypeVar('T')\nclass Stack(Generic[T]):\n def __init__(self) -> None: self.items: list[T] = []\n def push(self, x: T) -> 'Stack[T]': self.items.append(x); return self\n def __iter__(self) -> Iterator[T]: return reversed(self.items)\nresult = list(Stack[int]().push(1).push(2))", [2, 1]),
    "get_type_hints": ("from typing import get_type_hints, Optional, get_args\nclass A:\n x: 'int'\n y: 'Optional[A]' = None\n z: 'list[str]' = []\ndef f(a: 'A') -> 'dict[str, A]': pass\nresult = [get_type_hints(A)['x'].__name__, get_args(get_type_hints(A)['y'])[0] is A, get_type_hints(f)['a'] is A]", ["int", True, True]),
    "overload and final": ("from typing import overload, final, cast, Final\n@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\ndef f(x): return x\n@final\nclass A: LIMIT: Final = 3\nresult = [f(1), f('a'), cast(int, A.LIMIT)]", [1, "a", 3]),
    "contextlib": (
        "from contextlib import contextmanager, suppress, ExitStack, closing, nullcontext, redirect_stdout\nimport io\nlog = []\n@contextmanager\ndef step(n):\n log.append('+' + n)\n try: yield n\n finally: log.append('-' + n)\n"
        "with suppress(ValueError), step('a') as a: raise ValueError\nwith ExitStack() as s:\n for n in 'bc': s.enter_context(step(n))\n s.callback(log.append, 'last')\n"
        "out = io.StringIO()\nwith redirect_stdout(out): print('hidden')\nwith nullcontext(5) as five: pass\nresult = [log, out.getvalue(), five]",
        [["+a", "-a", "+b", "+c", "last", "-c", "-b"], "hidden\n", 5],
    ),
    "copy": ("import copy\nclass A:\n def __init__(self): self.x = [1]\n def __copy__(self): a = A(); a.x = 'copied'; return a\n def __deepcopy__(self, memo): a = A(); a.x = copy.deepcopy(self.x, memo); return a\na = A()\nb = copy.deepcopy(a)\nb.x.append(2)\nn = {'k': [1, {2}]}\nm = copy.deepcopy(n)\nm['k'].append(0)\nresult = [a.x, b.x, copy.copy(a).x, len(n['k'])]", [[1], [1, 2], "copied", 2]),
    "copy of objects with state": ("import copy\nclass A:\n def __init__(self): self.x, self.log = 1, print\n def __getstate__(self): return {'x': self.x}\n def __setstate__(self, s): self.x, self.log = s['x'], None\nb = copy.deepcopy(A())\nresult = [b.x, b.log]", [1, None]),
    "singledispatch": ("from functools import singledispatch, singledispatchmethod\n@singledispatch\ndef show(x): return 'any'\n@show.register\ndef _(x: int): return 'int'\n@show.register(list)\ndef _(x): return 'list'\nclass F:\n @singledispatchmethod\n def f(self, x): return 'any'\n @f.register\n def _(self, x: 'str'): return 'str'\nresult = [show(1), show([]), show(''), F().f('a'), F().f(1)]", ["int", "list", "any", "str", "any"]),
    "cached_property and lru_cache": ("from functools import cached_property, lru_cache, cache\nclass A:\n n = 0\n @cached_property\n def v(self): A.n += 1; return 5\n@lru_cache(maxsize=None)\ndef f(x): return x * 2\na = A()\na.v, a.v\nf(1), f(1)\nresult = [a.v, A.n, f.cache_info().hits]", [5, 1, 1]),
    "partial, reduce, cmp_to_key": ("from functools import partial, reduce, cmp_to_key, partialmethod\nadd = lambda a, b: a + b\nclass V:\n def set(self, x): self.x = x; return self\n on = partialmethod(set, 1)\nresult = [partial(add, 5)(2), reduce(add, [1, 2, 3], 10), sorted([3, 1, 2], key=cmp_to_key(lambda a, b: b - a)), V().on().x]", [7, 16, [3, 2, 1], 1]),
    "operator": ("import operator\nfrom operator import attrgetter, itemgetter, methodcaller\nclass P:\n def __init__(self, x): self.x, self._y, self.p = x, -x, self\nps = [P(2), P(1)]\nresult = [[p.x for p in sorted(ps, key=attrgetter('x'))], attrgetter('p.p._y', 'x')(ps[0]), itemgetter(1, 0)('ab'), methodcaller('upper')('ab'), methodcaller('format', 5)('<{}>'), operator.mul(3, 4), operator.add('a', 'b')]", [[1, 2], [-2, 2], ["b", "a"], "AB", "<5>", 12, "ab"]),
    "weak equality of self.__class__.__name__": ("class Base:\n def kind(self): return self.__class__.__qualname__.lower()\nclass Pump(Base): pass\nresult = [Pump().kind(), '{0.__class__.__name__}'.format(Pump())]", ["pump", "Pump"]),
    "pattern of an attribute called format": ("class Msg:\n format = 'csv'\nmatch Msg():\n case Msg(format='csv'): result = 'csv'", "csv"),
    "user list and dict": ("from collections import UserDict, UserList\nclass Case(UserDict):\n def __setitem__(self, k, v): super().__setitem__(k.lower(), v)\nc = Case(A=1)\nresult = [c['a'], UserList([1])[0]]", [1, 1]),
    "abstract collections": ("from collections.abc import MutableMapping, Sequence, Iterable\nclass Low(MutableMapping):\n def __init__(self): self.d = {}\n def __getitem__(self, k): return self.d[k]\n def __setitem__(self, k, v): self.d[k] = v\n def __delitem__(self, k): del self.d[k]\n def __iter__(self): return iter(self.d)\n def __len__(self): return len(self.d)\nx = Low()\nx.update(a=1)\nresult = [x.get('b', 0), x.pop('a'), isinstance([], Sequence), isinstance(x, Iterable)]", [0, 1, True, True]),
    "numeric tower": ("from numbers import Number, Real, Integral\nresult = [isinstance(1, Integral), isinstance(1.5, Real), isinstance('x', Number)]", [True, True, False]),
}  # fmt: skip
