"""Rows in the format `pgcopy`, as bytes: counted, cut, and taken apart."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from disync.native.keyed cimport *
from disync.native.out cimport *
from disync.native.siphash cimport Sip, sip_begin, sip_end, sip_word
from disync.native.walk cimport Field, walk

from disync.native.packets import Broken

_COMPARED = {"plain": PLAIN, "numeric": NUMERIC, "float": FLOAT}


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


cdef class _Parts:
    """Rows and their ops, on their way into so many parts; whose key a row has decides into which."""

    cdef int count, keys
    cdef int* places
    cdef Compared* compared
    cdef Out* rows
    cdef Out* ops
    cdef uint64_t seed

    def __cinit__(self, places, compared, int count, uint64_t seed, int width):
        cdef int key
        if count < 1 or not places or len(places) != len(compared) or any(not 0 <= one < width for one in places):
            raise Broken("rows come without their key")
        self.count, self.keys, self.seed = count, len(places), seed
        self.places = <int*> calloc(self.keys, sizeof(int))
        self.compared = <Compared*> calloc(self.keys, sizeof(Compared))
        self.rows = <Out*> calloc(count, sizeof(Out))
        self.ops = <Out*> calloc(count, sizeof(Out))
        if not (self.places and self.compared and self.rows and self.ops):
            raise MemoryError()
        for key in range(self.keys):
            self.places[key] = places[key]
            self.compared[key] = _COMPARED[compared[key]]

    def __dealloc__(self):
        cdef int part
        for part in range(self.count):
            if self.rows != NULL:
                release(&self.rows[part])
            if self.ops != NULL:
                release(&self.ops[part])
        free(self.places)
        free(self.compared)
        free(self.rows)
        free(self.ops)

    cdef int of(self, Field* fields) noexcept:
        cdef Sip sip
        cdef int key
        cdef Field* field
        sip_begin(&sip, self.seed, self.seed)
        for key in range(self.keys):
            field = &fields[self.places[key]]
            if field.size < 0:
                sip_word(&sip, <uint64_t> -1)
            else:
                sip_field(&sip, field, self.compared[key])
        return <int> (sip_end(&sip) % <uint64_t> self.count)

    cdef int put(self, int part, unsigned char op, const unsigned char* row, Py_ssize_t size) except -1:
        cdef Out* out = &self.ops[part]
        reserve(out, 1)
        out.data[out.size] = op
        out.size += 1
        out = &self.rows[part]
        reserve(out, size)
        memcpy(out.data + out.size, row, size)
        out.size += size
        return 0

    cdef list taken(self):
        cdef int part
        return [
            (
                PyBytes_FromStringAndSize(<const char*> self.rows[part].data, self.rows[part].size),
                PyBytes_FromStringAndSize(<const char*> self.ops[part].data, self.ops[part].size),
            )
            for part in range(self.count)
        ]


def part(data, const unsigned char[::1] ops not None, places, compared, int count, uint64_t seed) -> list:
    """Changes in `count` parts by their keys, each (rows, ops) in the order they had; what the target takes for one key
    (`fold.Fold`) is in one part. An update that moves a row from one part into another becomes an L, the row that left,
    in the one and an M, the row that came, in the other; so does a B without its U become an L."""
    cdef _Walk rows = _Walk(data)
    cdef _Parts parts = _Parts(places, compared, count, seed, rows.width if rows.size else 0xFFFF)
    cdef Py_ssize_t number = 0, start = 0, middle
    cdef int old, new
    while rows.step():
        if number >= ops.shape[0]:
            raise Broken("there are more rows than changes")
        old = parts.of(rows.fields)
        if ops[number] != b"B"[0]:
            parts.put(old, ops[number], &rows._data[start], rows.at - start)
        elif number + 1 < ops.shape[0] and ops[number + 1] == b"U"[0]:
            middle = rows.at
            if not rows.step():
                raise Broken("there are fewer rows than changes")
            number += 1
            new = parts.of(rows.fields)
            parts.put(old, b"B"[0] if old == new else b"L"[0], &rows._data[start], middle - start)
            parts.put(new, b"U"[0] if old == new else b"M"[0], &rows._data[middle], rows.at - middle)
        else:
            parts.put(old, b"L"[0], &rows._data[start], rows.at - start)
        number += 1
        start = rows.at
    if number != ops.shape[0]:
        raise Broken("there are fewer rows than changes")
    return parts.taken()
