"""One job from `run` to `result`: prepare the process, run the caller's code, report what came of it.

The order matters. Streams, folder and environment come first, because their failure is ours (exit 70, never a result);
limits come next, so that parsing a hostile payload already counts; from there on every failure is the caller's outcome.
"""

import os
import signal
import sys

from . import (
    execute,
    exit_codes,
    job_environment,
    limits,
    policy,
    report,
    standard_streams,
    values_in,
    values_out,
)

# Resolved before user code can replace them.
_write = os.write
_set_recursion_limit = sys.setrecursionlimit
_RECURSION_LIMIT = sys.getrecursionlimit()
_SIGNALS_OF_USER_CODE = {
    getattr(signal, name)
    for name in ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGTERM")
    if hasattr(signal, name)
}


def run(channel, header, payload):
    """Returns the exit code; the result has been written if that is 0."""
    standard_streams.connect(header["stdoutPath"], header["stderrPath"])
    job_environment.enter(header["scratchPath"], header["traceparent"])
    fallback = report.Report(header["nonce"]).out_of_memory()
    reserve = limits.reserve_memory()
    shortage = limits.apply(header["limits"])
    descriptor = channel.detach()
    if shortage is not None:
        return _send(descriptor, report.Report(header["nonce"]).failed("MemoryError", shortage))
    try:
        frame = _run_and_report(header, payload, reserve)
    except MemoryError:
        frame = fallback
    except BaseException as failure:  # an error whose own attributes raise when they are read
        frame = report.Report(header["nonce"]).undescribed(failure)
    return _send(descriptor, frame)


def _run_and_report(header, payload, reserve):
    answer = report.Report(header["nonce"])
    namespace = None
    try:
        request = values_in.parse_payload(header["kind"], payload)
        del payload
        lists = header["policy"]
        rules = policy.Policy(header["mode"], lists["allowedModules"], lists["blockedModules"])
        namespace = execute.create_namespace(rules, request.get("variables", {}))
        try:
            outcome = execute.run(header["kind"], request, rules, namespace)
        finally:
            _take_back_control()
        body = None
        if outcome.has_value:
            body = values_out.encode_value(outcome.value, header["limits"]["valueBytes"])
        return answer.succeeded(body)
    except BaseException as error:
        reserve.close()
        if isinstance(error, MemoryError):
            report.release_locals(error, namespace)
        return answer.from_exception(error)
    finally:
        standard_streams.flush()


def _take_back_control():
    """User code may have left traces, timers and limits behind that would fire in the middle of the report."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS_OF_USER_CODE)
    sys.settrace(None)
    sys.setprofile(None)
    _set_recursion_limit(_RECURSION_LIMIT)


def _send(descriptor, frame):
    rest = memoryview(frame)
    try:
        while rest:
            rest = rest[_write(descriptor, rest) :]
    except OSError:
        return exit_codes.NOT_REPORTED
    return exit_codes.OK
