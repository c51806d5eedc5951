"""Writes the seccomp filters of `system_calls.py` as raw BPF, one file per filter and machine; needs python3-seccomp.

    /usr/bin/python3 scripts/seccomp/generate.py [folder]

Instructions are `struct sock_filter` as the kernel takes them (seccomp(2)); both machines are little-endian. The runner
loads them without libseccomp. `test/contracts/seccomp-filters.test.ts` compares the files with what this makes.
"""

import errno
import os
import struct
import sys

import seccomp

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import system_calls as table  # noqa: E402

FOLDER = os.path.join(HERE, "..", "..", "python", "runner", "python3_cluster_runner", "filters")
MACHINES = {"x86_64": seccomp.Arch.X86_64, "aarch64": seccomp.Arch.AARCH64}
REFUSE, NOT_THERE = seccomp.ERRNO(errno.EPERM), seccomp.ERRNO(errno.ENOSYS)


def admin(rules):
    rules.add_all(NOT_THERE, table.NOT_THERE)
    rules.add_all(REFUSE, table.DENIED)


def admin_child(rules):
    rules.add_all(REFUSE, table.ONCE)


def restricted_template(rules):
    rules.add_all(NOT_THERE, table.NOT_THERE)
    rules.add_all(seccomp.ALLOW, table.JOB + table.TEMPLATE_ONLY)


def restricted_child(rules):
    rules.add_all(REFUSE, table.CHILD_DENIED)


FILTERS = {
    "admin": (seccomp.ALLOW, admin),
    "admin-child": (seccomp.ALLOW, admin_child),
    "restricted-template": (REFUSE, restricted_template),
    "restricted-child": (seccomp.ALLOW, restricted_child),
}


BPF_LOAD_WORD, BPF_JUMP_AT_LEAST, BPF_RETURN = 0x20, 0x35, 0x06
RETURN_ERRNO = 0x00050000


def refuse_unknown():
    """In front of a filter that allows what it does not list; the numbers of new calls are the same on every machine."""
    return b"".join(
        struct.pack("<HBBI", *instruction)
        for instruction in (
            (BPF_LOAD_WORD, 0, 0, 0),  # the call's number
            (BPF_JUMP_AT_LEAST, 0, 1, table.FIRST_UNKNOWN),  # go on if it is at least that, else past the next one
            (BPF_RETURN, 0, 0, RETURN_ERRNO | errno.ENOSYS),
        )
    )


class Rules:
    def __init__(self, default, machine):
        self.filter = seccomp.SyscallFilter(default)
        self.filter.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
        self.filter.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)  # a binary tree: loading a filter runs it once per call
        native = seccomp.Arch()
        if int(MACHINES[machine]) != int(native):
            self.filter.remove_arch(native)
            self.filter.add_arch(MACHINES[machine])

    def add_all(self, action, rules):
        for rule in rules:
            name, *conditions = (rule,) if isinstance(rule, str) else rule
            self.filter.add_rule(action, name, *map(to_argument, conditions))


def to_argument(condition):
    number, comparison, *values = condition
    return seccomp.Arg(number, {"==": seccomp.EQ, "!=": seccomp.NE, "&": seccomp.MASKED_EQ}[comparison], *values)


def main(folder):
    for machine in MACHINES:
        os.makedirs(os.path.join(folder, machine), exist_ok=True)
        for name, (default, fill) in FILTERS.items():
            rules = Rules(default, machine)
            fill(rules)
            with open(os.path.join(folder, machine, f"{name}.bpf"), "wb") as file:
                if name == "admin":
                    file.write(refuse_unknown())
                    file.flush()
                rules.filter.export_bpf(file)


main(sys.argv[1] if len(sys.argv) > 1 else FOLDER)
