"""Rows in the format `pgcopy`, as bytes: counted, cut, and taken apart."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
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


def select(data, const unsigned char[::1] mask not None) -> bytes:
    """The rows for which `mask` has another byte than zero."""
    cdef _Walk rows = _Walk(data)
    cdef Out out
    cdef Py_ssize_t number = 0, start = 0
    out.data = NULL
    out.size = out.room = 0
    try:
        while rows.step():
            if number >= mask.shape[0]:
                raise Broken("there are more rows than were told of")
            if mask[number]:
                reserve(&out, rows.at - start)
                memcpy(out.data + out.size, &rows._data[start], rows.at - start)
                out.size += rows.at - start
            number += 1
            start = rows.at
        return PyBytes_FromStringAndSize(<const char*> out.data, out.size)
    finally:
        release(&out)


def extend(data, int count, tails, const unsigned char[::1] which not None) -> bytes:
    """The rows with `count` more fields at their end: those of `tails[1]` where `which` has another byte than zero, and
    of `tails[0]` elsewhere and where `which` has no byte."""
    cdef _Walk rows = _Walk(data)
    cdef Out out
    cdef Py_ssize_t number = 0, start = 0
    cdef bytes tail, first = tails[0], second = tails[1]
    if count < 0 or rows.width + count > 0x7FFF:
        raise Broken("no row has so many fields")
    out.data = NULL
    out.size = out.room = 0
    try:
        while rows.step():
            tail = second if number < which.shape[0] and which[number] else first
            reserve(&out, rows.at - start + len(tail))
            memcpy(out.data + out.size, &rows._data[start], rows.at - start)
            be2(out.data + out.size, <uint16_t> (rows.width + count))
            out.size += rows.at - start
            memcpy(out.data + out.size, PyBytes_AS_STRING(tail), len(tail))
            out.size += len(tail)
            number += 1
            start = rows.at
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
