# cython: language_level=3
"""Bytes that grow, and how a field of binary COPY is put behind them. All numbers are big-endian."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset


cdef enum:
    MOST_TEXT = 0x3FFFFFFF  # bytes: PostgreSQL has no longer fields; what is not decoded is bounded by its packet


cdef struct Out:
    unsigned char* data
    Py_ssize_t size
    Py_ssize_t room


cdef inline int reserve(Out* out, Py_ssize_t more) except -1:
    """Make room for `more` bytes."""
    cdef Py_ssize_t wanted = out.size + more
    cdef unsigned char* grown
    if wanted <= out.room:
        return 0
    wanted += (wanted >> 1) + 256
    grown = <unsigned char*> realloc(out.data, wanted)
    if grown == NULL:
        raise MemoryError()
    out.data = grown
    out.room = wanted
    return 0


cdef inline void release(Out* out) noexcept:
    free(out.data)
    out.data = NULL
    out.size = out.room = 0


cdef inline void be2(unsigned char* at, uint16_t value) noexcept nogil:
    at[0] = <unsigned char> (value >> 8)
    at[1] = <unsigned char> value


cdef inline void be4(unsigned char* at, uint32_t value) noexcept nogil:
    at[0] = <unsigned char> (value >> 24)
    at[1] = <unsigned char> (value >> 16)
    at[2] = <unsigned char> (value >> 8)
    at[3] = <unsigned char> value


cdef inline void be8(unsigned char* at, uint64_t value) noexcept nogil:
    be4(at, <uint32_t> (value >> 32))
    be4(at + 4, <uint32_t> value)


cdef inline uint32_t read_be4(const unsigned char* at) noexcept nogil:
    return (<uint32_t> at[0] << 24) | (<uint32_t> at[1] << 16) | (<uint32_t> at[2] << 8) | at[3]


cdef inline uint64_t read_le(const unsigned char* at, int count) noexcept nogil:
    """A number of 1 to 8 bytes, the least first."""
    cdef uint64_t value = 0
    cdef int place
    for place in range(count):
        value |= <uint64_t> at[place] << (8 * place)
    return value


cdef inline uint64_t read_be(const unsigned char* at, int count) noexcept nogil:
    """A number of 1 to 8 bytes, the greatest first."""
    cdef uint64_t value = 0
    cdef int place
    for place in range(count):
        value = (value << 8) | at[place]
    return value


cdef inline int put_null(Out* out) except -1:
    reserve(out, 4)
    be4(out.data + out.size, 0xFFFFFFFF)
    out.size += 4
    return 0


cdef inline int put_int2(Out* out, int64_t value) except -1:
    reserve(out, 6)
    be4(out.data + out.size, 2)
    be2(out.data + out.size + 4, <uint16_t> value)
    out.size += 6
    return 0


cdef inline int put_int4(Out* out, int64_t value) except -1:
    reserve(out, 8)
    be4(out.data + out.size, 4)
    be4(out.data + out.size + 4, <uint32_t> value)
    out.size += 8
    return 0


cdef inline int put_int8(Out* out, int64_t value) except -1:
    reserve(out, 12)
    be4(out.data + out.size, 8)
    be8(out.data + out.size + 4, <uint64_t> value)
    out.size += 12
    return 0


cdef inline int put_bool(Out* out, bint value) except -1:
    reserve(out, 5)
    be4(out.data + out.size, 1)
    out.data[out.size + 4] = 1 if value else 0
    out.size += 5
    return 0


cdef inline int put_float4(Out* out, float value) except -1:
    cdef uint32_t bits
    memcpy(&bits, &value, 4)
    return put_int4(out, bits)


cdef inline int put_float8(Out* out, double value) except -1:
    cdef uint64_t bits
    memcpy(&bits, &value, 8)
    return put_int8(out, <int64_t> bits)


cdef inline int put_bytes(Out* out, const unsigned char* data, Py_ssize_t size) except -1:
    reserve(out, 4 + size)
    be4(out.data + out.size, <uint32_t> size)
    memcpy(out.data + out.size + 4, data, size)
    out.size += 4 + size
    return 0


cdef inline int put_padded(Out* out, const unsigned char* data, Py_ssize_t size, Py_ssize_t width) except -1:
    """Bytes with zeros behind them, up to `width`."""
    cdef Py_ssize_t whole = size if size > width else width
    reserve(out, 4 + whole)
    be4(out.data + out.size, <uint32_t> whole)
    memcpy(out.data + out.size + 4, data, size)
    memset(out.data + out.size + 4 + size, 0, whole - size)
    out.size += 4 + whole
    return 0


cdef inline int put_numeric(Out* out, bint negative, const unsigned char* whole, int before,
                            const unsigned char* part, int after) except -1:
    """A decimal of so many ASCII digits before and after the point, in groups of four around it."""
    cdef int groups, lead, group, place, digits, weight
    cdef unsigned char* at
    cdef int32_t value
    while before and whole[0] == 48:
        whole += 1
        before -= 1
    groups = (before + 3) // 4 + (after + 3) // 4
    reserve(out, 12 + 2 * groups)
    at = out.data + out.size + 12
    weight = (before + 3) // 4 - 1
    lead = 0
    digits = 0
    # Before the point the first group is the one that may be short, behind it the last.
    group = (before + 3) // 4
    for place in range(group):
        value = _group_before(whole, before, place, group)
        if digits == 0 and value == 0:
            lead += 1
        else:
            be2(at + 2 * digits, <uint16_t> value)
            digits += 1
    for place in range((after + 3) // 4):
        value = _group_after(part, after, place)
        if digits == 0 and value == 0:
            lead += 1
        else:
            be2(at + 2 * digits, <uint16_t> value)
            digits += 1
    while digits and at[2 * digits - 1] == 0 and at[2 * digits - 2] == 0:
        digits -= 1
    weight = weight - lead if digits else 0
    be4(at - 12, <uint32_t> (8 + 2 * digits))
    be2(at - 8, <uint16_t> digits)
    be2(at - 6, <uint16_t> weight)
    be2(at - 4, <uint16_t> (0x4000 if negative and digits else 0))
    be2(at - 2, <uint16_t> after)
    out.size += 12 + 2 * digits
    return 0


cdef inline int32_t _group_before(const unsigned char* digits, int count, int place, int groups) noexcept nogil:
    cdef int stop = count - 4 * (groups - 1 - place)
    cdef int at = stop - 4
    cdef int32_t value = 0
    if at < 0:
        at = 0
    while at < stop:
        value = value * 10 + (digits[at] - 48)
        at += 1
    return value


cdef inline int32_t _group_after(const unsigned char* digits, int count, int place) noexcept nogil:
    cdef int at = 4 * place
    cdef int stop = at + 4
    cdef int32_t value = 0
    while at < stop:
        value = value * 10 + (digits[at] - 48 if at < count else 0)
        at += 1
    return value


cdef inline int put_unsigned(Out* out, uint64_t value) except -1:
    """A number as a numeric without a fraction."""
    cdef unsigned char digits[20]
    cdef int at = 20
    while value:
        at -= 1
        digits[at] = 48 + <unsigned char> (value % 10)
        value //= 10
    return put_numeric(out, False, digits + at, 20 - at, digits, 0)
