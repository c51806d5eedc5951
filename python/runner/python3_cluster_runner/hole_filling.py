"""Fills the free places between old objects, so that a child's new objects stand together on pages of their own.

A page that a child writes to is copied, whether it writes one byte or all: 2.3 µs each, which is most of what a job
costs. After the imports both allocators are full of holes, and a child served from them copies a page for nearly every
object it makes (70 pages, 0.15 ms, and 30 more in the template after each fork). What fills the holes is never given back.
"""

from .process_control import libc

_POOL_BYTES = 16 * 1024  # of obmalloc since CPython 3.10; a wrong guess only fills less well
_POOL_HEADER_BYTES = 48
_BYTES_OVERHEAD = 33  # of a `bytes` object
_SIZE_CLASS_BYTES_MAX = 512 * 1024  # bounds for allocators that work in other ways
_MALLOC_BYTES_MAX = 8 * 1024 * 1024

_fillings = []


def fill_holes():
    _fill_malloc()
    _fill_pools(16, object)
    _fill_pools(32, complex)
    for size in range(48, 512 + 1, 16):
        _fill_pools(size, bytes, size - _BYTES_OVERHEAD)


def _fill_pools(size, make, *arguments):
    """Take blocks of this size class until a whole pool came out in order: a new one, so no older place is left."""
    capacity = (_POOL_BYTES - _POOL_HEADER_BYTES) // size
    in_order = 0
    expected = None
    for _ in range(_SIZE_CLASS_BYTES_MAX // size):
        block = make(*arguments)
        _fillings.append(block)
        address = id(block)
        if address % _POOL_BYTES == _POOL_HEADER_BYTES:
            in_order = 1
        elif address == expected and in_order:
            in_order += 1
        else:
            in_order = 0
        if in_order == capacity:
            return
        expected = address + size


def _fill_malloc():
    """Take chunks of every size, large ones first, until they come from the end of the heap."""
    if libc is None:
        return
    left = _MALLOC_BYTES_MAX
    highest = 0
    for size in (*range(65_536, 1024, -1024), *range(1016, 8, -16)):
        while left > 0:
            left -= size
            address = libc.malloc(size) or 0
            if address > highest:
                highest = address
                break
