# cython: language_level=3
"""How values lie in the row events of a binary log, put as fields of binary COPY."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy
from disync.native.columns cimport Column, Op
from disync.native.out cimport Out, put_float4, put_float8, read_le


cdef int put_log_labels(Out* out, Op op, str name, list labels, uint64_t number) except -1
cdef Py_ssize_t put_log_decimal(Out* out, Column* column, const unsigned char* at, Py_ssize_t left) except -1
cdef Py_ssize_t put_log_moment(Out* out, Column* column, const unsigned char* at, Py_ssize_t left, bint* refused) except -1


cdef inline int64_t stored_number(const unsigned char* at, int size, bint signed) noexcept:
    cdef uint64_t value = read_le(at, size)
    cdef int bits = 8 * size
    if signed and bits < 64 and value >> (bits - 1):
        value |= ~<uint64_t> 0 << bits
    return <int64_t> value


cdef inline int put_log_float(Out* out, const unsigned char* at, int size) except -1:
    cdef uint64_t bits = read_le(at, size)
    cdef uint32_t few = <uint32_t> bits
    cdef float narrow
    cdef double wide
    if size == 4:
        memcpy(&narrow, &few, 4)
        return put_float4(out, narrow)
    memcpy(&wide, &bits, 8)
    return put_float8(out, wide)
