"""Exit codes of the template and of its children, as the worker sees them (wire-protocol.md §1)."""

OK = 0

# Template.
REFUSED = 3  # the preload cannot be imported, or left threads or descriptors behind
CONTROL_PROTOCOL_ERROR = 4  # a malformed frame, or one out of turn, on the control channel

# Child. User code may end with the same numbers, so the worker must not conclude more than "no result came".
JOB_PROTOCOL_ERROR = 65  # a malformed frame, or one out of turn, on the job channel
NOT_CONNECTED = 69  # the worker's socket was not there, or the template was gone already
SETUP_FAILED = 70  # pipes, scratch folder or limits could not be prepared; the log says which
NOT_REPORTED = 74  # the result could not be written (user code closed the job channel)
