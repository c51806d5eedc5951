"""Text that goes out as it is written: whatever stands in a buffer is lost when a job is killed for its time.

Whole lines go in one piece. Less than a line goes at once, because it may be the last before the end; `print` writes its
parts one by one, so each is a system call. A program that prints very much can say
`sys.stdout.reconfigure(line_buffering=False)`.
"""

import io

_write, _flush = io.TextIOWrapper.write, io.TextIOWrapper.flush


class PromptStream(io.TextIOWrapper):
    def write(self, text, /):
        count = _write(self, text)
        if text and "\n" not in text and self.line_buffering:
            _flush(self)
        return count


PromptStream.__module__, PromptStream.__name__ = "_io", "TextIOWrapper"
