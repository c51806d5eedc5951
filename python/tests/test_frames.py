"""The Python half of the shared frame fixtures; the TypeScript tests read the same file."""

import json
import unittest

from job_channel import forge_frame
from runner_under_test import FIXTURES
from python3_cluster_runner import frames

DIRECTIONS = {
    "worker-template": frames.WORKER_TO_TEMPLATE,
    "template-worker": frames.TEMPLATE_TO_WORKER,
    "worker-child": frames.WORKER_TO_CHILD,
    "child-worker": frames.CHILD_TO_WORKER,
}


def bytes_of(fixture):
    if "hex" in fixture:
        return bytes.fromhex(fixture["hex"])
    return forge_frame(fixture["header"], fixture["body"].encode())


def read_all(messages, data, step=None):
    """Every frame of a stream that ends after `data`."""
    reader = frames.FrameReader(messages)
    found = []
    while data:
        count = min(reader.bytes_wanted, step or len(data))
        frame = reader.feed(data[:count])
        data = data[count:]
        if frame is not None:
            found.append(frame)
    if not reader.is_between_frames:
        raise frames.ProtocolError("end of file inside a frame")
    return found


class FrameTests(unittest.TestCase):
    def test_every_fixture_is_accepted_or_refused_as_it_says(self):
        with open(FIXTURES, encoding="utf-8") as file:
            fixtures = json.load(file)
        self.assertGreater(len(fixtures), 50)
        for fixture in fixtures:
            for step in (None, 1):
                with self.subTest(fixture["name"], step=step):
                    messages = DIRECTIONS[fixture["direction"]]
                    data = bytes_of(fixture)
                    if fixture["accepted"]:
                        [(header, body)] = read_all(messages, data, step)
                        if "header" in fixture:
                            self.assertEqual((header, body.decode()), (fixture["header"], fixture["body"]))
                    else:
                        with self.assertRaises(frames.ProtocolError):
                            read_all(messages, data, step)

    def test_what_is_encoded_is_read_back(self):
        sent = [({"type": "pong", "nonce": "a\ud800\n世"}, b""), ({"type": "pong", "nonce": ""}, b"")]
        data = b"".join(frames.encode(*frame) for frame in sent)
        self.assertEqual(read_all(frames.CHILD_TO_WORKER, data), sent)
        self.assertEqual(read_all(frames.CHILD_TO_WORKER, data, 3), sent)

    def test_the_reader_never_asks_for_bytes_of_the_next_frame(self):
        first = frames.encode({"type": "pong", "nonce": "1"})
        reader = frames.FrameReader(frames.CHILD_TO_WORKER)
        taken = 0
        while True:
            count = reader.bytes_wanted
            frame = reader.feed((first + b"next")[taken : taken + count])
            taken += count
            if frame:
                break
        self.assertEqual(taken, len(first))

    def test_a_header_may_take_65536_bytes_and_not_one_more(self):
        room = frames.HEADER_BYTES_MAX - len(b'{"type":"pong","nonce":""}')
        frame = frames.encode({"type": "pong", "nonce": "x" * room})
        self.assertEqual(len(read_all(frames.CHILD_TO_WORKER, frame)), 1)
        with self.assertRaises(frames.ProtocolError):
            frames.encode({"type": "pong", "nonce": "x" * (room + 1)})


if __name__ == "__main__":
    unittest.main()
