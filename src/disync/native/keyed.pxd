# cython: language_level=3
"""Fields of a key as the target compares them: what is equal there takes in the same."""

from disync.native.siphash cimport Sip, sip_bytes
from disync.native.walk cimport Field


cdef enum Compared:
    PLAIN, NUMERIC, FLOAT


cdef inline bint is_zero(Field* field) noexcept nogil:
    cdef int place
    if field.size < 1 or field.at[0] & 0x7F:
        return False
    for place in range(1, field.size):
        if field.at[place]:
            return False
    return True


cdef inline void sip_field(Sip* sip, Field* field, Compared compared) noexcept nogil:
    """Of a field that is not null."""
    if compared == NUMERIC and field.size >= 8:
        sip_bytes(sip, field.at, 6)
        sip_bytes(sip, field.at + 8, field.size - 8)
    elif compared == FLOAT and is_zero(field):
        sip_bytes(sip, field.at, 0)
    else:
        sip_bytes(sip, field.at, field.size)
