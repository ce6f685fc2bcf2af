# cython: language_level=3
"""Walking over tuples of the format `pgcopy`: a count in two bytes, then fields with their length in four in front."""

from libc.stdint cimport int32_t
from disync.native.out cimport read_be4


cdef struct Field:
    const unsigned char* at   # behind its length
    int32_t size              # -1: null


cdef inline void find(const unsigned char* at, int count, Field* fields) noexcept nogil:
    """Where the first fields of a tuple are that has been walked over before."""
    cdef int place
    at += 2
    for place in range(count):
        fields[place].size = <int32_t> read_be4(at)
        fields[place].at = at = at + 4
        if fields[place].size > 0:
            at += fields[place].size


cdef inline Py_ssize_t walk(const unsigned char* at, const unsigned char* end, int width, Field* fields) noexcept nogil:
    """Where the fields of the tuple at `at` are; returns the tuple's size, or -1 if it is none of `width` fields."""
    cdef const unsigned char* start = at
    cdef int place
    cdef int32_t size
    if end - at < 2 or ((at[0] << 8) | at[1]) != width:
        return -1
    at += 2
    for place in range(width):
        if end - at < 4:
            return -1
        size = <int32_t> read_be4(at)
        at += 4
        if size < -1 or size > end - at:
            return -1
        fields[place].at = at
        fields[place].size = size
        if size > 0:
            at += size
    return at - start
