"""One job from `run` to `result`: prepare the process, run the caller's code, report what came of it.

The order matters. The environment comes first, because its failure is ours (exit 70, never a result); limits come next, so that parsing a hostile payload already counts; from there on every failure is the caller's outcome.
"""

import os
import signal
import sys
from _contextvars import Context as _Context

try:
    from _signal import pthread_sigmask as _block_signals  # `signal`'s makes enum members of what it returns
except ImportError:
    from signal import pthread_sigmask as _block_signals

from . import (
    execute,
    exit_codes,
    forked_copies,
    guarded_effects,
    job_environment,
    limits,
    policy,
    program_end,
    report,
    standard_streams,
    user_spans,
    values_in,
    values_out,
)

# Resolved before user code can replace them.
_write = os.write
_enter_environment = job_environment.enter
_begin_spans, _executed = user_spans.begin, user_spans.executed
_apply_limits, _out_of_memory = limits.apply, report.out_of_memory
_begin_original, _is_copy = forked_copies.begin, forked_copies.is_copy
_exit_code_of, _leave = forked_copies.exit_code_of, forked_copies.leave
_close_threads, _close_program = program_end.close_threads, program_end.close
_set_recursion_limit = sys.setrecursionlimit
# A level of a value takes up to five frames to render.
_RECURSION_LIMIT_OF_RENDERING = sys.getrecursionlimit() + 6 * values_out.DEPTH_MAX
_set_trace, _set_profile = sys.settrace, sys.setprofile
_SIG_BLOCK = int(signal.SIG_BLOCK)
_SIGNALS_OF_USER_CODE = tuple(
    int(getattr(signal, name))
    for name in ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGTERM")
    if hasattr(signal, name)
)


def run(channel, header, payload):
    """Returns the exit code; the result has been written if that is 0."""
    descriptor = channel.detach()
    _begin_original(descriptor)
    return send(descriptor, answer(header, payload))


def answer(header, payload, keeps=False):
    """The frame of the result, whatever the caller's code does; OSError where its surroundings cannot be made."""
    _begin_spans(header.get("spans") is True)
    _enter_environment(header["traceparent"])
    fallback = _out_of_memory(header["nonce"])
    shortage = _apply_limits(header["limits"], len(payload), keeps)
    if shortage is not None:
        return report.Report(header["nonce"]).failed("MemoryError", shortage)
    try:
        if keeps:
            return _Context().run(run_and_report, header, payload)  # context variables: decimal's precision is one
        return run_and_report(header, payload)
    except MemoryError:
        return fallback
    except BaseException as failure:  # an error whose own attributes raise when they are read
        return report.Report(header["nonce"]).undescribed(failure)


def run_and_report(header, payload):
    """The program from its first line to its end. Nothing of it is left but the frame that this returns."""
    frame, loader = b"", execute.no_loader
    try:
        frame, loader = _run(header, payload)
        return frame
    finally:
        try:
            _close_program(loader)
        except BaseException:
            pass  # Python has said what goes wrong in the program's last functions; this is a signal between them
        standard_streams.flush()
        guarded_effects.end()
        if _is_copy():
            _leave(frame)


def _run(header, payload):
    """`(frame, loader of the globals)`; everything else that held a value of the program's is let go with this call.

    In a copy that the program forked: its exit code instead of the frame.
    """
    namespace, loader = None, execute.no_loader
    try:
        request = values_in.parse_payload(header["kind"], payload)
        del payload
        lists = header["policy"]
        rules = policy.Policy(header["mode"], lists["allowedModules"], lists["blockedModules"])
        namespace = execute.create_namespace(rules, request.get("variables", {}))
        loader = execute.loader_of(namespace)
        try:
            has_value, value = execute.run(header["kind"], request, rules, namespace)
            _close_threads()
        except BaseException as error:
            _close_threads(error)
            raise
        finally:
            _take_back_control()
            _executed()
        if _is_copy():
            return 0, loader
        body = None
        if has_value:
            body = values_out.encode_value(value, header["limits"]["valueBytes"])
        return report.succeeded(header["nonce"], body), loader
    except BaseException as error:
        if _is_copy():
            return _exit_code_of(error), loader
        limits.release_reserve()
        if isinstance(error, MemoryError):
            report.release_locals(error, namespace)
        place = None
        if isinstance(error, values_out.NotRendered):
            error, place = error.error, error.place
        return report.Report(header["nonce"]).from_exception(error, place), loader


def _take_back_control():
    """User code may have left traces, timers and limits behind that would fire in the middle of the report."""
    _block_signals(_SIG_BLOCK, _SIGNALS_OF_USER_CODE)
    _set_trace(None)
    _set_profile(None)
    _set_recursion_limit(_RECURSION_LIMIT_OF_RENDERING)


def send(descriptor, frame):
    rest = memoryview(frame)
    try:
        while rest:
            rest = rest[_write(descriptor, rest) :]
    except OSError:
        return exit_codes.NOT_REPORTED
    return exit_codes.OK
