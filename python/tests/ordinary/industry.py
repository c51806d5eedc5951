"""What plants compute: signals, controllers, tags, alarms, quality, units, reports."""

PROGRAMS = {
    "moving average": ("from collections import deque\ndef sma(xs, n):\n w, out = deque(maxlen=n), []\n for x in xs:\n  w.append(x)\n  out.append(round(sum(w) / len(w), 3))\n return out\nresult = sma([10, 11, 12, 20], 3)", [10.0, 10.5, 11.0, 14.333]),
    "exponential smoothing": ("def ema(xs, a):\n s = xs[0]\n for x in xs[1:]: s = a * x + (1 - a) * s\n return round(s, 4)\nresult = ema([10, 12, 11, 13], 0.3)", 11.404),
    "PID controller": (
        "class PID:\n def __init__(self, kp, ki, kd, lo=0.0, hi=100.0): self.kp, self.ki, self.kd, self.lo, self.hi = kp, ki, kd, lo, hi; self.i = self.last = 0.0\n"
        " def step(self, sp, pv, dt):\n  e = sp - pv\n  self.i += e * dt\n  d, self.last = (e - self.last) / dt, e\n  return max(self.lo, min(self.hi, self.kp * e + self.ki * self.i + self.kd * d))\n"
        "pid, pv = PID(2.0, 0.5, 0.0), 20.0\nfor _ in range(400): pv += (pid.step(60.0, pv, 0.1) - (pv - 20.0) * 0.5) * 0.05\nresult = abs(pv - 60.0) < 0.5",
        True,
    ),
    "FFT by hand": (
        "import cmath\ndef fft(x):\n n = len(x)\n if n == 1: return x\n e, o = fft(x[::2]), fft(x[1::2])\n t = [cmath.exp(-2j * cmath.pi * k / n) * o[k] for k in range(n // 2)]\n"
        " return [e[k] + t[k] for k in range(n // 2)] + [e[k] - t[k] for k in range(n // 2)]\nimport math\n"
        "x = [math.sin(2 * math.pi * 3 * i / 16) for i in range(16)]\nm = [abs(v) for v in fft(x)]\nresult = [m.index(max(m[:8])), round(max(m), 6)]",
        [3, 8.0],
    ),
    "OPC tag parsing": (
        "import re\nRX = re.compile(r'^\\[(?P<provider>[^\\]]+)\\](?P<path>[^.\\[]+)(?:\\.(?P<prop>\\w+))?(?:\\[(?P<index>\\d+)\\])?$')\n"
        "def parse(s):\n m = RX.match(s)\n if not m: raise ValueError(f'bad tag {s!r}')\n d = m.groupdict()\n d['folders'] = d.pop('path').split('/')\n return d\n"
        "try: parse('x')\nexcept ValueError as e: bad = str(e)\nresult = [parse('[default]Line1/Pump.Value[3]'), bad]",
        [{"provider": "default", "prop": "Value", "index": "3", "folders": ["Line1", "Pump"]}, "bad tag 'x'"],
    ),
    "OPC UA node id": ("def node(s):\n parts = dict(p.split('=', 1) for p in s.split(';'))\n ns = int(parts.pop('ns', 0))\n (kind, ident), = parts.items()\n return ns, kind, int(ident) if kind == 'i' else ident\nresult = [node('ns=2;s=Channel.Device.Tag'), node('i=85')]", [[2, "s", "Channel.Device.Tag"], [0, "i", 85]]),
    "SPC chart": (
        "import statistics as st\ngroups = [[10.1, 9.9, 10.0], [10.2, 10.0, 10.1], [9.8, 10.0, 9.9], [10.9, 11.0, 10.8]]\nx = [st.mean(g) for g in groups]\nr = [max(g) - min(g) for g in groups]\n"
        "center, rbar = st.mean(x[:3]), st.mean(r[:3])\nucl, lcl = center + 1.023 * rbar, center - 1.023 * rbar\n"
        "result = [round(ucl, 3), round(lcl, 3), [i for i, v in enumerate(x) if not lcl <= v <= ucl]]",
        [10.205, 9.795, [3]],
    ),
    "Western Electric rules": ("def eight_on_one_side(xs, c):\n run = 0\n for i, x in enumerate(xs):\n  s = 1 if x > c else -1\n  run = run + s if run * s > 0 else s\n  if abs(run) >= 8: return i\n return None\nresult = [eight_on_one_side([1] * 9, 0), eight_on_one_side([1, -1] * 9, 0)]", [7, None]),
    "process capability": ("import statistics as st\nx = [9.9, 10.0, 10.1, 10.0, 9.95, 10.05]\nm, s = st.mean(x), st.stdev(x)\nresult = [round((10.3 - 9.7) / (6 * s), 3), round(min(10.3 - m, m - 9.7) / (3 * s), 3)]", [1.414, 1.414]),
    "alarm shelving": (
        "from dataclasses import dataclass, field\nfrom datetime import datetime, timedelta\nfrom enum import Enum\nclass State(Enum): ACTIVE = 'active'; SHELVED = 'shelved'; CLEAR = 'clear'\n"
        "@dataclass\nclass Alarm:\n name: str\n active: bool = True\n until: datetime | None = None\n def shelve(self, now, minutes): self.until = now + timedelta(minutes=minutes)\n"
        " def state(self, now):\n  if self.until and now < self.until: return State.SHELVED\n  return State.ACTIVE if self.active else State.CLEAR\n"
        "t = datetime(2024, 1, 1)\na = Alarm('HH')\na.shelve(t, 10)\nresult = [a.state(t).value, a.state(t + timedelta(minutes=11)).value, Alarm('x', False).state(t).name]",
        ["shelved", "active", "CLEAR"],
    ),
    "alarm deadband": ("def alarms(xs, hi, band):\n on, out = False, []\n for x in xs:\n  on = x > hi or on and x > hi - band\n  out.append(on)\n return out\nresult = alarms([9, 10.5, 9.8, 9.4, 10.1], 10, 0.5)", [False, True, True, False, True]),
    "alarm flood": ("from collections import deque\ndef flood(times, n=3, window=10):\n q, out = deque(), []\n for t in times:\n  q.append(t)\n  while t - q[0] > window: q.popleft()\n  out.append(len(q) >= n)\n return out\nresult = flood([0, 5, 9, 30, 31])", [False, False, True, False, False]),
    "unit conversion": (
        "TABLE = {('C', 'F'): lambda x: x * 9 / 5 + 32, ('bar', 'psi'): lambda x: x * 14.5038, ('m3/h', 'gpm'): lambda x: x * 4.40287}\n"
        "def convert(v, a, b):\n try: return round(TABLE[a, b](v), 2)\n except KeyError: raise ValueError(f'no way from {a} to {b}') from None\n"
        "result = [convert(100, 'C', 'F'), convert(2, 'bar', 'psi'), convert(10, 'm3/h', 'gpm')]",
        [212.0, 29.01, 44.03],
    ),
    "CSV text by hand": (
        "def parse(text, sep=';'):\n rows, field, row, quoted = [], '', [], False\n for c in text:\n  if c == '\"': quoted = not quoted\n  elif c == sep and not quoted: row.append(field); field = ''\n"
        "  elif c == '\\n' and not quoted: row.append(field); rows.append(row); field, row = '', []\n  else: field += c\n return rows\n"
        "h, *rows = parse('tag;value;note\\nT1;1,5;\"a;b\"\\nT2;2;x\\n')\nresult = [dict(zip(h, r)) for r in rows]",
        [{"tag": "T1", "value": "1,5", "note": "a;b"}, {"tag": "T2", "value": "2", "note": "x"}],
    ),
    "historian interpolation": ("from bisect import bisect_right\ndef at(points, t):\n i = bisect_right([p[0] for p in points], t)\n if i == 0: return None\n if i == len(points): return points[-1][1]\n (t0, v0), (t1, v1) = points[i - 1], points[i]\n return v0 + (v1 - v0) * (t - t0) / (t1 - t0)\np = [(0, 10.0), (10, 20.0)]\nresult = [at(p, 5), at(p, -1), at(p, 99)]", [15.0, None, 20.0]),
    "swinging door compression": ("def deadband(points, eps):\n kept = [points[0]]\n for p in points[1:]:\n  if abs(p[1] - kept[-1][1]) > eps: kept.append(p)\n return kept\nresult = deadband([(0, 1.0), (1, 1.05), (2, 1.5), (3, 1.52)], 0.1)", [[0, 1.0], [2, 1.5]]),
    "totalizer": ("from itertools import pairwise\nflow = [(0, 10.0), (60, 20.0), (120, 20.0)]\nresult = sum((a[1] + b[1]) / 2 * (b[0] - a[0]) / 3600 for a, b in pairwise(flow))", 0.5833333333333333),
    "OEE": ("def oee(planned, down, ideal, total, good):\n run = planned - down\n a, p, q = run / planned, ideal * total / run, good / total\n return {k: round(v, 3) for k, v in dict(a=a, p=p, q=q, oee=a * p * q).items()}\nresult = oee(480, 47, 1.0, 400, 390)", {"a": 0.902, "p": 0.924, "q": 0.975, "oee": 0.812}),
    "shift of a time": ("from datetime import datetime, time\nSHIFTS = [('early', time(6)), ('late', time(14)), ('night', time(22))]\ndef shift(t):\n name = 'night'\n for n, start in SHIFTS:\n  if t.time() >= start: name = n\n return name\nresult = [shift(datetime(2024, 1, 1, h)) for h in (3, 6, 15, 23)]", ["night", "early", "late", "night"]),
    "Modbus registers": ("import struct\ndef to_float(hi, lo): return struct.unpack('>f', struct.pack('>HH', hi, lo))[0]\ndef crc(data):\n c = 0xFFFF\n for b in data:\n  c ^= b\n  for _ in range(8): c = c >> 1 ^ 0xA001 if c & 1 else c >> 1\n return c\nresult = [to_float(0x4048, 0xF5C3) - 3.14 < 1e-6, hex(crc(bytes([1, 3, 0, 0, 0, 10])))]", [True, "0xcdc5"]),
    "S7 bits": ("def bit(b, byte, n): return b[byte] >> n & 1\ndb = bytes([0b101, 0xFF])\nresult = [bit(db, 0, 0), bit(db, 0, 1), bit(db, 0, 2), int.from_bytes(db, 'big')]", [1, 0, 1, 1535]),
    "state machine": (
        "class Batch:\n moves = {('idle', 'start'): 'filling', ('filling', 'full'): 'mixing', ('mixing', 'done'): 'idle'}\n def __init__(self): self.state, self.log = 'idle', []\n"
        " def on(self, event):\n  new = self.moves.get((self.state, event))\n  if new is None: raise RuntimeError(f'{event} in {self.state}')\n  self.log.append(f'{self.state}->{new}')\n  self.state = new\n  return self\n"
        "b = Batch().on('start').on('full')\ntry: b.on('start')\nexcept RuntimeError as e: result = [b.log, str(e)]",
        [["idle->filling", "filling->mixing"], "start in mixing"],
    ),
    "linear regression": ("def fit(p):\n n = len(p)\n sx, sy = sum(x for x, _ in p), sum(y for _, y in p)\n sxx, sxy = sum(x * x for x, _ in p), sum(x * y for x, y in p)\n k = (n * sxy - sx * sy) / (n * sxx - sx * sx)\n return k, (sy - k * sx) / n\nresult = fit([(0, 1), (1, 3), (2, 5)])", [2.0, 1.0]),
    "matrix by hand": ("def mul(a, b): return [[sum(x * y for x, y in zip(r, c)) for c in zip(*b)] for r in a]\ndef det(m):\n return m[0][0] if len(m) == 1 else sum((-1) ** j * m[0][j] * det([r[:j] + r[j + 1:] for r in m[1:]]) for j in range(len(m)))\nresult = [mul([[1, 2], [3, 4]], [[0, 1], [1, 0]]), det([[2, 0, 1], [1, 3, 2], [1, 1, 4]])]", [[[2, 1], [4, 3]], 18]),
    "Newton's method": ("def root(f, df, x):\n while abs(f(x)) > 1e-12: x -= f(x) / df(x)\n return round(x, 9)\nresult = root(lambda x: x * x - 2, lambda x: 2 * x, 1.0)", 1.414213562),
    "Runge-Kutta": ("def rk4(f, y, t, h, n):\n for _ in range(n):\n  a = f(t, y); b = f(t + h / 2, y + h / 2 * a); c = f(t + h / 2, y + h / 2 * b); d = f(t + h, y + h * c)\n  y += h / 6 * (a + 2 * b + 2 * c + d); t += h\n return round(y, 6)\nresult = rk4(lambda t, y: -y, 1.0, 0.0, 0.1, 10)", 0.36788),
    "Kalman filter": ("def kalman(zs, q=1e-5, r=0.01):\n x, p = zs[0], 1.0\n for z in zs:\n  p += q\n  k = p / (p + r)\n  x += k * (z - x)\n  p *= 1 - k\n return x\nresult = abs(kalman([1.02, 0.98, 1.01, 0.99, 1.0]) - 1.0) < 0.01", True),
    "outliers": ("import statistics as st\nx = [10, 11, 10, 12, 11, 95]\nm = st.median(x)\nmad = st.median(abs(v - m) for v in x)\nresult = [v for v in x if abs(v - m) / (1.4826 * mad) > 3.5]", [95]),
    "histogram": ("from collections import Counter\nx = [1.2, 1.9, 2.1, 3.7, 3.8]\nc = Counter(int(v) for v in x)\nresult = [f'{k}: {\"#\" * c[k]}' for k in sorted(c)]", ["1: ##", "2: #", "3: ##"]),
    "report table": ("rows = [('Pump 1', 12.345, True), ('Valve', 7, False)]\nline = '{:<8}|{:>8.2f}|{!s:^7}'\nresult = [line.format(*r) for r in rows]", ["Pump 1  |   12.35| True  ", "Valve   |    7.00| False "]),
    "recipe scaling": ("from decimal import Decimal as D\nrecipe = {'water': D('12.5'), 'acid': D('0.75')}\nresult = {k: str((v * D('1.2')).quantize(D('0.01'))) for k, v in recipe.items()}", {"water": "15.00", "acid": "0.90"}),
    "tank level": ("import math\ndef volume(r, l, h): return l * (r * r * math.acos((r - h) / r) - (r - h) * math.sqrt(2 * r * h - h * h))\nresult = [round(volume(1, 2, 1), 4), round(volume(1, 2, 2), 4)]", [3.1416, 6.2832]),
    "pipe routing": ("import heapq\nG = {'A': {'B': 4, 'C': 1}, 'C': {'B': 2, 'D': 7}, 'B': {'D': 1}, 'D': {}}\ndef shortest(a, b):\n q, seen = [(0, a, [a])], set()\n while q:\n  d, n, path = heapq.heappop(q)\n  if n == b: return d, path\n  if n in seen: continue\n  seen.add(n)\n  for m, w in G[n].items(): heapq.heappush(q, (d + w, m, path + [m]))\nresult = shortest('A', 'D')", [4, ["A", "C", "B", "D"]]),
    "schedule by dependencies": ("def order(deps):\n done, out = set(), []\n def visit(n, path=()):\n  if n in path: raise ValueError('cycle')\n  if n not in done:\n   for d in deps.get(n, ()): visit(d, path + (n,))\n   done.add(n); out.append(n)\n for n in deps: visit(n)\n return out\nresult = order({'pack': ['cook'], 'cook': ['mix'], 'mix': []})", ["mix", "cook", "pack"]),
    "energy by tariff": ("def cost(readings):\n return round(sum(kwh * (0.30 if 6 <= hour < 22 else 0.20) for hour, kwh in readings), 2)\nresult = cost([(5, 10), (12, 20), (23, 5)])", 9.0),
    "quality of samples": ("GOOD = 192\nsamples = [{'v': 1, 'q': 192}, {'v': 99, 'q': 0}, {'v': 3, 'q': 192}]\ngood = [s['v'] for s in samples if s['q'] & 0xC0 == GOOD]\nresult = [sum(good) / len(good), len(good) / len(samples) > 0.5]", [2.0, True]),
    "log lines": ("import re\nfrom collections import Counter\nlog = '''2024-01-01 06:00 WARN pump open\n2024-01-01 06:01 ERROR eval failed\n2024-01-01 06:02 WARN os restart'''\nresult = Counter(re.findall(r'^\\S+ \\S+ (\\w+)', log, re.M))", {"WARN": 2, "ERROR": 1}),
    "units in a class": (
        "class Q:\n def __init__(self, v, u): self.v, self.u = v, u\n def __add__(self, o):\n  if self.u != o.u: raise TypeError(f'{self.u} and {o.u}')\n  return Q(self.v + o.v, self.u)\n def __mul__(self, k): return Q(self.v * k, self.u)\n"
        " __rmul__ = __mul__\n def __repr__(self): return f'{self.v:g} {self.u}'\n def __eq__(self, o): return (self.v, self.u) == (o.v, o.u)\n"
        "try: Q(1, 'm') + Q(1, 's')\nexcept TypeError as e: result = [repr(2 * Q(1.5, 'bar') + Q(1, 'bar')), str(e), Q(1, 'm') == Q(1, 'm')]",
        ["4 bar", "m and s", True],
    ),
    "barcode check digit": ("def ean(s): return (10 - sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(s)) % 10) % 10\nresult = ean('400638133393')", 1),
    "batch genealogy": ("tree = {'P1': ['B1', 'B2'], 'B1': ['R1'], 'B2': ['R1', 'R2']}\ndef parts(n): return {n} | {p for c in tree.get(n, []) for p in parts(c)}\nresult = sorted(parts('P1'))", ["B1", "B2", "P1", "R1", "R2"]),
}  # fmt: skip
