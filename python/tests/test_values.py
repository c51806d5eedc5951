"""Values in and out, in this process; the same through real children is in test_jobs.py."""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import sys
import types
import unittest
import uuid
import warnings

import runner_under_test  # noqa: F401  (puts the runner on the path)
from python3_cluster_runner import values_in, values_out

MIB = 1024 * 1024


def encode(value, bytes_max=MIB):
    try:
        return values_out.encode_value(value, bytes_max).decode("ascii")
    except values_out.NotRendered as failure:
        raise failure.error


def place_of_failure(value):
    try:
        values_out.encode_value(value, MIB)
    except values_out.NotRendered as failure:
        return failure.place


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


class Color(enum.Enum):
    RED = "red"
    ODD = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


class Word(str, enum.Enum):
    A = "a"


Pair = collections.namedtuple("Pair", "a b")


class Shout(str):
    def __str__(self):
        return "SHOUT"


class ValuesOutTests(unittest.TestCase):
    def test_exact_renderings(self):
        nested = {"a": [1, 2.5, None, True], "b": {"c": "é\ud800\n"}}
        table = [
            (None, "null"), (True, "true"), (False, "false"), (0, "0"), (1.0, "1.0"), (-0.0, "-0.0"),
            (2**53 + 1, "9007199254740993"), (2**100, "1267650600228229401496703205376"), (1e22, "1e+22"),
            (math.sqrt(16), "4.0"), (1e400, '"Infinity"'), (-math.inf, '"-Infinity"'), (math.nan, '"NaN"'),
            ("x\ud800", '"x\\ud800"'), ("", '""'), ([], "[]"), ({}, "{}"), ((), "[]"),
            ([math.nan, 1], '["NaN",1]'), ({"a": math.inf}, '{"a":"Infinity"}'),
            (nested, json.dumps(nested, separators=(",", ":"))),
            ({3, 1, 2}, "[1,2,3]"), (frozenset(), "[]"), ({("b",), ("a",)}, '[["a"],["b"]]'),
            ({1: "a", 1.5: "b", True: "c", None: "d"}, '{"1":"c","1.5":"b","null":"d"}'),
            ({False: 1, math.nan: 2, (1, 2): 3, Word.A: 4, Level.HIGH: 5}, '{"false":1,"NaN":2,"(1, 2)":3,"a":4,"3":5}'),
            (b"caf\xc3\xa9", '"caf\\u00e9"'), (b"\xff\x00", '"base64:/wA="'), (bytearray(b"x"), '"x"'),
            (memoryview(b"xy"), '"xy"'),
            (datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), '"2024-01-02T03:04:05+00:00"'),
            (datetime.date(2024, 1, 2), '"2024-01-02"'), (datetime.time(1, 2), '"01:02:00"'),
            (datetime.timedelta(minutes=1.5), "90.0"), (decimal.Decimal("1.10"), '"1.10"'),
            (fractions.Fraction(1, 3), '"1/3"'), (1 + 2j, '"(1+2j)"'),
            (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            (Color.RED, '"red"'), (Color.ODD, "[1,2]"), (Level.HIGH, "3"), (Word.A, '"a"'),
            (Point(1, Point(2)), '{"x":1,"y":{"x":2,"y":null}}'), (Pair(1, "z"), '[1,"z"]'),
            (pathlib.Path("/a/b"), '"/a/b"'), (range(3), "[0,1,2]"), (collections.deque([1]), "[1]"),
            (array.array("d", [1, 2]), "[1.0,2.0]"), (collections.OrderedDict(a=1), '{"a":1}'),
            (collections.Counter("aab"), '{"a":2,"b":1}'), (types.MappingProxyType({"k": 1}), '{"k":1}'),
            ({"a": 1}.keys(), '["a"]'), ({"a": 1}.items(), '[["a",1]]'), (Shout("s"), '"s"'),
            (ValueError("no"), '"ValueError: no"'), (KeyError(), '"KeyError"'),
            ([datetime.date(2024, 1, 2), Level.HIGH, {1}], '["2024-01-02",3,[1]]'), (int, "\"<class 'int'>\""),
        ]  # fmt: skip
        for value, expected in table:
            with self.subTest(repr(value)):
                self.assertEqual(encode(value), expected)

    def test_generators_are_not_run(self):
        self.assertRegex(encode(x for x in [1]), r'^"<generator object .*>"$')

    def test_an_integer_of_5000_digits_is_exact_and_user_code_keeps_its_limit(self):
        before = sys.get_int_max_str_digits()
        text = encode(10**5000 + 7)
        self.assertEqual((len(text), text[0], text[-1]), (5001, "1", "7"))
        self.assertEqual(sys.get_int_max_str_digits(), before)

    def test_long_containers_are_the_same_as_json_writes_them(self):
        for value in (list(range(2000)), {str(n): n / 7 for n in range(2000)}, [[n, str(n)] for n in range(1500)]):
            self.assertEqual(encode(value), json.dumps(value, separators=(",", ":")))
        self.assertEqual(json.loads(encode([*range(700), math.nan])), [*range(700), "NaN"])

    def test_cycles_are_named(self):
        cyclic = [1]
        cyclic.append({"again": cyclic})
        point = Point(1)
        point.y = [point]
        for value in (cyclic, point):
            with self.assertRaisesRegex(values_out.CircularReferenceError, "contains itself"):
                encode(value)

    def test_the_same_object_twice_is_no_cycle(self):
        shared = [1]
        self.assertEqual(encode([shared, shared, {"a": shared}]), '[[1],[1],{"a":[1]}]')

    def test_200_levels_are_allowed(self):
        def nest(depth):
            value = []
            for _ in range(depth - 1):
                value = [value]
            return value

        self.assertEqual(encode(nest(200)), "[" * 200 + "]" * 200)
        with self.assertRaises(values_out.ValueTooDeepError):
            encode(nest(201))

    def test_too_large_is_noticed_before_it_is_built(self):
        huge = ["x" * MIB] * 1_000_000
        for value in (huge, range(10**15), {"a": huge}, "x" * (2 * MIB), b"x" * (2 * MIB), 1 << (8 * MIB * 4)):
            with self.subTest(type(value).__name__), self.assertRaisesRegex(values_out.ValueTooLargeError, str(MIB)):
                encode(value)

    def test_the_limit_is_exact(self):
        self.assertEqual(encode([1, 2], 5), "[1,2]")
        with self.assertRaises(values_out.ValueTooLargeError):
            encode([1, 2], 4)

    def test_keys_that_are_one_name_are_refused(self):
        class Pairs(collections.abc.Mapping):
            __getitem__ = __len__ = lambda *_: 2
            __iter__ = lambda _: iter("aa")  # noqa: E731

        table = [
            ({1: "a", "1": "b"}, '"1".* 1 and \'1\''), ({"true": 1, True: 2}, "true"), ({None: 1, "null": 2}, "null"),
            ({1.0: 1, "1.0": 2}, "1.0"), ({math.nan: 1, float("nan"): 2}, "NaN"), (Pairs(), '"a"'),
            ({**{str(n): n for n in range(700)}, 5: 0}, '"5"'), ({datetime.date(2024, 1, 2): 1, "2024-01-02": 2}, "2024-01-02"),
        ]  # fmt: skip
        for value, message in table:
            with self.subTest(repr(value)[:40]), self.assertRaisesRegex(values_out.DuplicateNameError, message):
                encode(value)
        self.assertEqual(encode({1: 2, "a": 3, None: 4}), '{"1":2,"a":3,"null":4}')

    def test_a_failure_says_where_in_the_value_it_is(self):
        class Bad:
            def __str__(self):
                raise LookupError

        cyclic = {"a": [0, {}]}
        cyclic["a"][1]["é"] = cyclic
        deep = []
        for _ in range(300):
            deep = [deep]
        for value, place in [
            (Bad(), "result"), ([1, Bad()], "result[1]"), ({"a": [1, 2, 3, Bad()]}, 'result["a"][3]'), ({7: (Bad(),)}, 'result["7"][0]'),
            (Point(1, [Bad()]), 'result["y"][0]'), ([*range(600), Bad()], "result[600]"), (cyclic, 'result["a"][1]["\\u00e9"]'),
            ([{1: 2, "1": 3}], "result[0]"), (deep, "result" + "[0]" * 6 + " … " + "[0]" * 6),
        ]:  # fmt: skip
            with self.subTest(place):
                self.assertEqual(place_of_failure(value), place)

    def test_warnings_of_a_rendering_are_nobodys(self):
        class Warns:
            def __str__(self):
                warnings.warn("deprecated", DeprecationWarning)
                return "text"

        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("error")
            self.assertEqual(encode([Warns(), {Warns(): 1}]), '["text",{"text":1}]')
            self.assertEqual((heard, warnings.filters[0][0]), ([], "error"))

    def test_errors_of_the_callers_own_methods_come_through(self):
        class Bad:
            def __str__(self):
                raise LookupError("mine")

        with self.assertRaisesRegex(LookupError, "mine"):
            encode([Bad()])


class NumpyTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            import numpy
            import pandas
        except ImportError:
            raise unittest.SkipTest("numpy and pandas are not installed")
        cls.numpy, cls.pandas = numpy, pandas

    def test_numpy_and_pandas_renderings(self):
        np, pd = self.numpy, self.pandas
        table = [
            (np.int64(5), "5"), (np.float64(1.5), "1.5"), (np.float32(0.5), "0.5"), (np.bool_(True), "true"),
            (np.float64("nan"), '"NaN"'), (np.longdouble(2), "2.0"), (np.str_("s"), '"s"'),
            (np.array([[1, 2], [3, 4]]), "[[1,2],[3,4]]"), (np.array(7), "7"), (np.array([1.0, np.nan]), '[1.0,"NaN"]'),
            (np.datetime64("2024-01-02T03:04:05"), '"2024-01-02T03:04:05"'), (np.datetime64("NaT"), "null"),
            (np.timedelta64(1500, "ms"), "1.5"), (np.array(["2024-01-02"], dtype="datetime64[D]"), '["2024-01-02"]'),
            (np.array([1 + 2j]), '["(1+2j)"]'), (np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), "[[1,2.5]]"),
            (pd.Timestamp("2024-01-02"), '"2024-01-02T00:00:00"'), (pd.NaT, "null"), (pd.NA, "null"),
            (pd.Timedelta(minutes=1), "60.0"), (pd.Series([1, 2]), "[1,2]"), (pd.Index(["a"]), '["a"]'),
            (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), '[{"a":1,"b":"x"},{"a":2,"b":null}]'),
            (pd.DataFrame({"t": pd.to_datetime(["2024-01-02", None])}), '[{"t":"2024-01-02T00:00:00"},{"t":null}]'),
            ({"m": np.float64(2)}, '{"m":2.0}'),
            (np.ma.masked, "null"), ([np.ma.masked], "[null]"), (np.ma.array([1, 2], mask=[0, 1]), "[1,null]"),
            (np.ma.array(["2024", "2025"], dtype="M8[Y]", mask=[1, 0]), '[null,"2025"]'), (np.ma.array([1.5], mask=[1])[0], "null"),
            (np.ma.array([(1, 2.5)], mask=[(0, 1)], dtype=[("a", "i4"), ("b", "f8")]), "[[1,null]]"),
            (np.ma.array([[1, 2]], mask=[[1, 0]]), "[[null,2]]"), (np.ma.array(5, mask=True), "null"), (np.ma.array(5), "5"),
            (np.timedelta64(3, "M"), '"P3M"'), (np.timedelta64(-2, "Y"), '"-P2Y"'), (np.timedelta64(5, "as"), "5e-18"),
            (np.timedelta64(2**62, "as"), "4.611686018427388"), (np.timedelta64(2**62, "W"), "2.789147703944884e+24"),
            (np.timedelta64(2, "W"), "1209600.0"), (np.timedelta64(7), "7"), (np.timedelta64("NaT"), "null"),
            (np.array([1, 2], dtype="m8[25s]"), "[25.0,50.0]"), (np.clongdouble(1 + 2j), '"(1+2j)"'),
            (np.array([1 + 2j], dtype=np.clongdouble), '["(1+2j)"]'), (np.longdouble("1.5"), "1.5"),
            (np.array([(1, "2024-01-02")], dtype=[("a", "i4"), ("t", "M8[ns]")])[0], '[1,"2024-01-02T00:00:00.000000000"]'),
            (np.matrix([["2024", "2025"]], dtype="M8[Y]"), '[["2024","2025"]]'), (np.matrix([[1, 2]]), "[[1,2]]"),
        ]  # fmt: skip
        for value, expected in table:
            with self.subTest(repr(value)):
                self.assertEqual(encode(value), expected)


    def test_an_index_that_says_something_is_kept(self):
        pd = self.pandas
        days = pd.to_datetime(["2024-01-02", "2024-01-03"])
        first, second = '"2024-01-02T00:00:00"', '"2024-01-03T00:00:00"'
        frame = pd.DataFrame({"a": [1, 2]}, index=days)
        both = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["line", None])
        table = [
            (frame, f'[{{"index":{first},"a":1}},{{"index":{second},"a":2}}]'),
            (frame.rename_axis("t"), f'[{{"t":{first},"a":1}},{{"t":{second},"a":2}}]'),
            (frame["a"], f'[{{"index":{first},"a":1}},{{"index":{second},"a":2}}]'),
            (pd.Series([1, 2], index=days), f'[{{"index":{first},"value":1}},{{"index":{second},"value":2}}]'),
            (pd.Series([1], index=["x"]).rename_axis("value"), "two columns named 'value'"),
            (pd.Series([5, 6], index=both), '[{"line":"x","level_1":1,"value":5},{"line":"y","level_1":2,"value":6}]'),
            (pd.DataFrame({"a": [5, 6]}, index=both), '[{"line":"x","level_1":1,"a":5},{"line":"y","level_1":2,"a":6}]'),
            (pd.DataFrame({"a": [1, 2, 3]})[lambda rows: rows["a"] > 1], '[{"a":2},{"a":3}]'),
            (pd.Series([1, 2, 3])[[2, 0]], "[3,1]"), (frame.iloc[:0], "[]"), (frame.index, f"[{first},{second}]"),
            (pd.DataFrame({"index": [1]}, index=["x"]), '[{"level_0":"x","index":1}]'),
            (pd.DataFrame({"a": [1], "g": ["x"]}).groupby("g").sum(), '[{"g":"x","a":1}]'),
            (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
            (pd.DataFrame([[1, 2]], columns=[1, "1"]), "two keys are the name"),
            (frame.rename_axis("a"), "two columns named 'a'"),
        ]  # fmt: skip
        for value, expected in table:
            with self.subTest(repr(value)):
                if expected.startswith("two"):
                    with self.assertRaisesRegex(values_out.DuplicateNameError, expected):
                        encode(value)
                else:
                    self.assertEqual(encode(value), expected)

    def test_libraries_warn_in_silence(self):
        np = self.numpy
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("error")
            self.assertEqual(encode(np.array([1e400, np.longdouble("1e4000")])), '["Infinity","Infinity"]')
            self.assertEqual(heard, [])


class ValuesInTests(unittest.TestCase):
    def parse(self, text):
        return values_in.parse_payload("exec", b'{"code":"","variables":{"v":' + text + b"}}")["variables"]["v"]

    def test_numbers_and_texts_are_exact(self):
        digits = b"1" * 5000
        limit = values_in.allow_any_digits()
        expected = int(digits)
        values_in.restore_digits(limit)
        for text, value in [
            (b"9007199254740993", 2**53 + 1), (b"1e400", math.inf), (digits, expected), (b'"\\ud800x"', "\ud800x"),
            (b'{"a":1,"a":2}', {"a": 2}), ('"世"'.encode(), "世"), (b"null", None),
        ]:  # fmt: skip
            self.assertEqual(self.parse(text), value)
        for text, shown in [(b"1.0", "1.0"), (b"-0.0", "-0.0"), (b"1", "1")]:
            self.assertEqual(repr(self.parse(text)), shown)

    def test_names_that_are_no_variables_are_refused(self):
        for name in ("__builtins__", "__name__", "a b", "", "1x", "class", "None", "ｉｆ", "＿_name__"):
            payload = json.dumps({"code": "", "variables": {name: 1}}).encode()
            with self.subTest(name), self.assertRaisesRegex(ValueError, "cannot be the name of a variable"):
                values_in.parse_payload("exec", payload)

    def test_names_are_normalised_as_in_a_program(self):
        for kind, member in (("exec", "variables"), ("call", "kwargs")):
            request = {"code": "", "module": "m", "function": "f", member: {"x": 1, "\u00b5": 0.3, "\ufb01t": 2}}
            parsed = values_in.parse_payload(kind, json.dumps(request).encode())
            self.assertEqual(parsed[member], {"x": 1, "\u03bc": 0.3, "fit": 2})
            request[member] = {"\u00b5": 1, "\u03bc": 2}
            with self.assertRaisesRegex(ValueError, "to Python"):
                values_in.parse_payload(kind, json.dumps(request).encode())
        self.assertEqual(values_in.parse_payload("call", b'{"module":"m","function":"f","kwargs":{"class":1}}')["kwargs"], {"class": 1})

    def test_payloads_of_the_wrong_shape_are_refused(self):
        for kind, payload in [
            ("exec", b"[]"), ("exec", b"{"), ("exec", b'{"code":1}'), ("exec", b'{"code":""} x'), ("eval", b"{}"),
            ("call", b'{"module":"m","function":"f","args":{}}'), ("exec", b"\xff"), ("exec", b""),
        ]:  # fmt: skip
            with self.subTest(payload), self.assertRaises(ValueError):
                values_in.parse_payload(kind, payload)

    def test_containers_may_be_left_out(self):
        self.assertEqual(values_in.parse_payload("exec", b' {"code":"x"}\n'), {"code": "x", "variables": {}})
        call = values_in.parse_payload("call", b'{"module":"m","function":"f","kwargs":null}')
        self.assertEqual((call["args"], call["kwargs"]), ([], {}))


if __name__ == "__main__":
    unittest.main()
