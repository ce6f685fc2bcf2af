# cython: language_level=3

cdef enum Op:
    INT2, INT4, INT8, UNSIGNED, DECIMAL, FLOAT4, FLOAT8, BOOL, BITS, BITS64, BYTES, PADDED, TEXT, ENUM, SET, YEAR
    DATE, DATETIME, TIMESTAMP, TIME, OLD_DATETIME, OLD_TIMESTAMP, OLD_TIME

cdef enum Zero:
    AS_NULL, AS_TEXT, REFUSED


cdef struct Column:
    Op op
    int size       # bytes that the value takes, or that its length takes in front of it
    bint signed
    int digits     # of a fraction of a second, or before the point
    int scale      # digits behind the point
    int width      # bytes that a fixed binary value has at least
    Zero zero      # what becomes of a day that no calendar has
    bint virtual   # may be missing from a row
    bint key       # tells rows apart


cdef class Columns:
    cdef Column* at
    cdef readonly int count
    cdef readonly tuple names
    cdef list extras
