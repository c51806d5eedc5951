"""pickle and dataclasses look user classes up in __main__."""
import dataclasses
import enum
import inspect
import pickle
import typing


@dataclasses.dataclass
class Reading:
    tag: str
    value: float = 1.0
    parts: typing.List[int] = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = "red"


def twice(x):
    return 2 * x


copied = pickle.loads(pickle.dumps(Reading("t1", 2.5)))
result = [copied, pickle.loads(pickle.dumps(Color.RED)), inspect.getsource(twice), __name__]
