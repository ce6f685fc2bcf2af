"""Rows in the format `pgcopy`, as bytes: counted, cut, and taken apart."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from disync.native.out cimport *
from disync.native.walk cimport Field, walk

from disync.native.packets import Broken


cdef class _Walk:
    """Goes over the tuples of `data`, each of as many fields as the first."""

    cdef const unsigned char[::1] _data
    cdef Py_ssize_t at, size
    cdef int width
    cdef Field* fields

    def __cinit__(self, const unsigned char[::1] data not None):
        self._data, self.size = data, data.shape[0]
        if self.size == 1:
            raise Broken("rows break off")
        self.width = (data[0] << 8) | data[1] if self.size else 0
        self.fields = <Field*> calloc(self.width or 1, sizeof(Field))
        if self.fields == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.fields)

    cdef bint step(self) except -1:
        """Whether there was one more tuple; its `fields` are known then."""
        cdef Py_ssize_t found
        if self.at == self.size:
            return False
        found = walk(&self._data[self.at], &self._data[0] + self.size, self.width, self.fields)
        if found < 0:
            raise Broken("rows break off, or are of different widths")
        self.at += found
        return True


def count(data) -> int:
    """How many rows these are."""
    cdef _Walk rows = _Walk(data)
    cdef Py_ssize_t found = 0
    while rows.step():
        found += 1
    return found


def cut(data, Py_ssize_t after) -> int:
    """Where the first `after` rows end."""
    cdef _Walk rows = _Walk(data)
    while after > 0 and rows.step():
        after -= 1
    return rows.at


def project(data, places) -> bytes:
    """The rows with only these of their fields, in this order."""
    cdef _Walk rows = _Walk(data)
    cdef Out out
    cdef Py_ssize_t size
    cdef int place
    cdef list wanted = list(places)
    out.data = NULL
    out.size = out.room = 0
    if len(wanted) > 0xFFFF or rows.size and any(not 0 <= one < rows.width for one in wanted):
        raise Broken("rows have fewer fields than were asked for")
    try:
        while rows.step():
            reserve(&out, 2)
            be2(out.data + out.size, <uint16_t> len(wanted))
            out.size += 2
            for place in wanted:
                size = 4 + (rows.fields[place].size if rows.fields[place].size > 0 else 0)
                reserve(&out, size)
                memcpy(out.data + out.size, rows.fields[place].at - 4, size)
                out.size += size
        return PyBytes_FromStringAndSize(<const char*> out.data, out.size)
    finally:
        release(&out)


def fields(data) -> list:
    """Every row as a tuple of its fields: bytes without the length, or None."""
    cdef _Walk rows = _Walk(data)
    cdef int place
    found = []
    while rows.step():
        found.append(tuple([
            None if rows.fields[place].size < 0
            else PyBytes_FromStringAndSize(<const char*> rows.fields[place].at, rows.fields[place].size)
            for place in range(rows.width)
        ]))
    return found
