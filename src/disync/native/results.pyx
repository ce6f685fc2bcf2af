"""Packets of a text result → rows in the format `pgcopy`."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.float cimport FLT_MAX
from libc.math cimport HUGE_VAL
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from disync.native.calendar cimport put_date, put_moment
from disync.native.columns cimport *
from disync.native.out cimport *
from disync.native.packets cimport Packets

from disync.native.columns import Unserved
from disync.native.packets import Broken

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, void* overflow) except? -1.0


cdef enum:
    MOST_COLUMNS = 0xFFFF


cdef struct Cell:
    const unsigned char* data  # NULL: null
    Py_ssize_t size


cdef class ResultRows:
    """The rows of one result. `columns` are its first ones, which become fields; `keys`, anywhere in it, are kept of the
    last row as the server wrote them. `refused`: (the row's cells, the column's name, why) of rows that cannot be had;
    whoever takes rows takes and clears them, too. For one thread, and of no use any more once it has raised.
    """

    cdef Packets _packets
    cdef Columns _columns
    cdef Cell* _cells
    cdef int _width
    cdef list _keys
    cdef Out _out
    cdef str _reason
    cdef Py_ssize_t _refused_size
    cdef bint _spoiled
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t total
    cdef readonly tuple last
    cdef readonly list refused
    cdef readonly bytes ending

    def __cinit__(self, Packets packets not None, Columns columns not None, width, keys):
        if not columns.count <= width <= MOST_COLUMNS or any(not 0 <= key < width for key in keys):
            raise Unserved("a result has other columns than were asked for")
        self._packets, self._columns, self._width, self._keys = packets, columns, width, list(keys)
        self._cells = <Cell*> calloc(width or 1, sizeof(Cell))
        if self._cells == NULL:
            raise MemoryError()
        self.refused = []
        self.ending = None

    def __dealloc__(self):
        free(self._cells)
        release(&self._out)

    @property
    def size(self) -> int:
        return self._out.size

    def advance(self, Py_ssize_t most_rows, Py_ssize_t most_bytes) -> bool:
        """Read what has come; whether to stop, as there is enough for now, or as the result has ended (`ending`: the
        packet that ended it)."""
        cdef const unsigned char* at
        cdef Py_ssize_t size, before = self.total
        cdef bint enough = self.ending is not None
        self._sound()
        self._spoiled = True
        while not enough and self._packets.next(&at, &size):
            if size < 9 and size and at[0] == 0xFE or size and at[0] == 0xFF:
                self.ending = PyBytes_FromStringAndSize(<const char*> at, size)
                enough = True
            else:
                self._row(at, size)
                enough = (self.count + len(self.refused) >= most_rows
                          or self._out.size + self._refused_size >= most_bytes)
        if self.total != before:
            self.last = tuple(self._cell(key) for key in self._keys)
        self._spoiled = False
        return enough

    def take(self) -> bytes:
        """The rows read since the last time."""
        self._sound()
        found = PyBytes_FromStringAndSize(<const char*> self._out.data, self._out.size)
        self._out.size = self._refused_size = 0
        self.count = 0
        if self._out.room > 1 << 25:
            release(&self._out)
        return found

    cdef int _sound(self) except -1:
        if self._spoiled:
            raise Broken("a row before could not be read")
        return 0

    cdef object _cell(self, int place):
        cdef Cell* cell = &self._cells[place]
        return None if cell.data == NULL else PyBytes_FromStringAndSize(<const char*> cell.data, cell.size)

    cdef int _row(self, const unsigned char* at, Py_ssize_t size) except -1:
        cdef Py_ssize_t start = self._out.size
        cdef int place
        self._split(at, at + size)
        reserve(&self._out, 2)
        be2(self._out.data + start, <uint16_t> self._columns.count)
        self._out.size += 2
        self.total += 1
        for place in range(self._columns.count):
            if self._cells[place].data == NULL:
                put_null(&self._out)
            elif self._value(place, self._cells[place].data, self._cells[place].size):
                self._out.size = start
                cells = tuple(self._cell(other) for other in range(self._columns.count))
                self.refused.append((cells, self._columns.names[place], self._reason))
                self._refused_size += size
                return 0
        self.count += 1
        return 0

    cdef int _split(self, const unsigned char* at, const unsigned char* end) except -1:
        """The cells of a row: each has its length in front, in one to nine bytes."""
        cdef int place, more
        cdef uint64_t size
        for place in range(self._width):
            if at >= end:
                raise Broken("a row has fewer columns than its result")
            if at[0] < 0xFB:
                size = at[0]
                at += 1
            elif at[0] == 0xFB:
                self._cells[place].data = NULL
                at += 1
                continue
            else:
                more = 2 if at[0] == 0xFC else 3 if at[0] == 0xFD else 8
                if at[0] == 0xFF or end - at <= more:
                    raise Broken("a row has a length that is none")
                size = read_le(at + 1, more)
                at += 1 + more
            if size > <uint64_t> (end - at):
                raise Broken("a row breaks off")
            self._cells[place].data = at
            self._cells[place].size = <Py_ssize_t> size
            at += size
        if at != end:
            raise Broken("a row has more columns than its result")
        return 0

    cdef int _value(self, int place, const unsigned char* data, Py_ssize_t size) except -1:
        """Put one value; 1 where it is refused, with the reason kept."""
        cdef Column* column = &self._columns.at[place]
        cdef Op op = column.op
        if op == BYTES:
            put_bytes(&self._out, data, size)
        elif op == INT2 or op == YEAR:
            put_int2(&self._out, _integer(data, size, 0x7FFF))
        elif op == INT4:
            put_int4(&self._out, _integer(data, size, 0x7FFFFFFF))
        elif op == INT8:
            put_int8(&self._out, _integer(data, size, 0x7FFFFFFFFFFFFFFF))
        elif op == DECIMAL or op == UNSIGNED:
            _decimal(&self._out, data, size)
        elif op == DATE or op == DATETIME or op == TIMESTAMP:
            return self._moment(column, data, size)
        elif op == FLOAT8:
            put_float8(&self._out, _double(data, size))
        elif op == FLOAT4:
            put_float4(&self._out, _float(data, size))
        elif op == TEXT:
            return self._text(self._columns.extras[place], data, size)
        else:
            _bits(&self._out, op, data, size)
        return 0

    cdef int _text(self, decode, const unsigned char* data, Py_ssize_t size) except -1:
        cdef Py_ssize_t length
        cdef const char* encoded
        try:
            text = decode(PyBytes_FromStringAndSize(<const char*> data, size))
            encoded = PyUnicode_AsUTF8AndSize(text, &length)
        except UnicodeError as error:
            self._reason = f"it is no text in its character set: {error}"
            return 1
        if length > MOST_TEXT:
            self._reason = f"it is a text of {length} bytes"
            return 1
        put_bytes(&self._out, <const unsigned char*> encoded, length)
        return 0

    cdef int _moment(self, Column* column, const unsigned char* data, Py_ssize_t size) except -1:
        """YYYY-MM-DD, and HH:MM:SS with a fraction of up to six digits."""
        cdef int64_t seconds, fraction = 0
        cdef int year, month, day
        cdef Py_ssize_t place
        if size < 10 or data[4] != 45 or data[7] != 45:
            raise Broken("a date is none")
        year, month, day = _digits(data, 4), _digits(data + 5, 2), _digits(data + 8, 2)
        if column.op == DATE:
            if put_date(&self._out, column, year, month, day):
                return self._no_day()
            return 0
        if size < 19 or size > 26 or size == 20 or data[10] != 32 or data[13] != 58 or data[16] != 58:
            raise Broken("a moment is none")
        seconds = (_digits(data + 11, 2) * 60 + _digits(data + 14, 2)) * 60 + _digits(data + 17, 2)
        for place in range(20, 26):
            fraction = fraction * 10 + (_digit(data[place]) if place < size else 0)
        if put_moment(&self._out, column, year, month, day, seconds, fraction):
            return self._no_day()
        return 0

    cdef int _no_day(self) noexcept:
        self._reason = "no calendar has this day"
        return 1


cdef inline int _digit(unsigned char byte) except -1:
    if byte < 48 or byte > 57:
        raise Broken("a number is none")
    return byte - 48


cdef inline int _digits(const unsigned char* data, int count) except -1:
    cdef int value = 0, at
    for at in range(count):
        value = value * 10 + _digit(data[at])
    return value


cdef inline int64_t _integer(const unsigned char* data, Py_ssize_t size, uint64_t most) except? -1:
    """A number up to `most`; of the negative ones there is one more."""
    cdef uint64_t value = 0
    cdef Py_ssize_t at = 0
    cdef bint negative = size > 0 and data[0] == 45
    if negative:
        at = 1
    if size == at:
        raise Broken("a number is none")
    while size - at > 19 and data[at] == 48:
        at += 1  # ZEROFILL
    if size - at > 19:
        raise Broken("a number is too large for its column")
    while at < size:
        value = value * 10 + <uint64_t> _digit(data[at])
        at += 1
    if value > most + negative:
        raise Broken("a number is too large for its column")
    return <int64_t> (0 - value) if negative else <int64_t> value


cdef int _decimal(Out* out, const unsigned char* data, Py_ssize_t size) except -1:
    cdef bint negative = size > 0 and data[0] == 45
    cdef Py_ssize_t at, point = size
    if negative:
        data += 1
        size -= 1
        point = size
    if size == 0 or size > 300:  # ZEROFILL makes them up to 255 wide
        raise Broken("a number is none")
    for at in range(size):
        if data[at] == 46 and point == size:
            point = at
        else:
            _digit(data[at])
    if point == size:
        return put_numeric(out, negative, data, <int> size, data, 0)
    return put_numeric(out, negative, data, <int> point, data + point + 1, <int> (size - point - 1))


cdef double _double(const unsigned char* data, Py_ssize_t size) except? -1.0:
    cdef char text[64]
    cdef char* end
    cdef double value
    if size == 0 or size > 63:
        raise Broken("a number is none")
    memcpy(text, data, size)
    text[size] = 0
    try:
        value = PyOS_string_to_double(text, &end, NULL)
    except ValueError:
        raise Broken("a number is none") from None
    if end != text + size:
        raise Broken("a number is none")
    return value


cdef float _float(const unsigned char* data, Py_ssize_t size) except? -1.0:
    cdef double value = _double(data, size)
    if FLT_MAX < (value if value >= 0 else -value) < HUGE_VAL:
        raise Broken("a number is too large for its column")
    return <float> value


cdef int _bits(Out* out, Op op, const unsigned char* data, Py_ssize_t size) except -1:
    if size < 1 or size > 8:
        raise Broken("a BIT has one to eight bytes")
    if op == BOOL:
        return put_bool(out, read_be(data, <int> size) != 0)
    if op == BITS64:
        return put_unsigned(out, read_be(data, <int> size))
    if op == BITS:
        return put_int8(out, <int64_t> read_be(data, <int> size))
    raise Unserved("this kind of column is not in a text result")
