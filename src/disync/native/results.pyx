"""Packets of a prepared statement's result → rows in the format `pgcopy`.

The server writes such rows as it has them: numbers in their own bytes, moments field by field. As text they would take
twice its time.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from disync.native.calendar cimport put_date, put_moment
from disync.native.columns cimport *
from disync.native.logged cimport put_log_float, stored_number
from disync.native.out cimport *
from disync.native.packets cimport Packets

from disync.native.columns import Unserved
from disync.native.packets import Broken


cdef enum:
    MOST_COLUMNS = 0xFFFF


cdef struct Cell:
    const unsigned char* data  # NULL: null
    Py_ssize_t size


cdef class ResultRows:
    """The rows of one result. `columns` are its first ones, which become fields; `keys`, anywhere in it, are kept of the
    last row as the server wrote them. `widths`: a byte for each column, how many it takes, or zero where its length is
    in front. `refused`: (the row's cells, the column's name, why) of rows that cannot be had;
    whoever takes rows takes and clears them, too. For one thread, and of no use any more once it has raised.
    """

    cdef Packets _packets
    cdef Columns _columns
    cdef Cell* _cells
    cdef int _width
    cdef bytes _widths
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

    def __cinit__(self, Packets packets not None, Columns columns not None, bytes widths not None, keys):
        cdef int place
        cdef Py_ssize_t width = len(widths)
        if not columns.count <= width <= MOST_COLUMNS or width == 0 or any(not 0 <= key < width for key in keys):
            raise Unserved("a result has other columns than were asked for")
        for place in range(width):
            _check(widths[place], &columns.at[place] if place < columns.count else NULL)
        self._widths = widths
        self._packets, self._columns, self._width, self._keys = packets, columns, <int> width, list(keys)
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
        """The cells of a row: a bit for each that is null, then those that are not. What has no fixed width has its
        length in front, in one to nine bytes."""
        cdef int place, more
        cdef const unsigned char* nulls = at + 1
        cdef const unsigned char* widths = <const unsigned char*> <const char*> self._widths
        cdef uint64_t size
        if end - at < 1 + (self._width + 9) // 8 or at[0]:
            raise Broken("a row is none")
        at += 1 + (self._width + 9) // 8
        for place in range(self._width):
            if nulls[(place + 2) // 8] >> ((place + 2) % 8) & 1:
                self._cells[place].data = NULL
                continue
            if widths[place]:
                size = widths[place]
            else:
                more = 0
                if at < end and at[0] >= 0xFB:
                    more = 2 if at[0] == 0xFC else 3 if at[0] == 0xFD else 8
                    if at[0] == 0xFF or at[0] == 0xFB:
                        raise Broken("a row has a length that is none")
                if end - at <= more:
                    raise Broken("a row breaks off")
                size = read_le(at + 1, more) if more else at[0]
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
            put_int2(&self._out, stored_number(data, <int> size, column.signed))
        elif op == INT4:
            put_int4(&self._out, stored_number(data, <int> size, column.signed))
        elif op == INT8:
            put_int8(&self._out, stored_number(data, <int> size, column.signed))
        elif op == DECIMAL:
            _decimal(&self._out, data, size)
        elif op == UNSIGNED:
            put_unsigned(&self._out, read_le(data, <int> size))
        elif op == DATE or op == DATETIME or op == TIMESTAMP:
            return self._moment(column, data, size)
        elif op == FLOAT8 or op == FLOAT4:
            put_log_float(&self._out, data, <int> size)
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
        """Year, month, day; then hour, minute, second; then microseconds. Zeros at the end are not written."""
        cdef unsigned char all[11]
        cdef int64_t seconds, fraction
        if size != 0 and size != 4 and size != 7 and size != 11:
            raise Broken("a moment is none")
        memset(all, 0, 11)
        memcpy(all, data, size)
        fraction = <int64_t> read_le(all + 7, 4)
        if all[4] > 23 or all[5] > 59 or all[6] > 59 or fraction > 999999:
            raise Broken("a moment is none")
        seconds = (all[4] * 60 + all[5]) * 60 + all[6]
        if column.op == DATE:
            if put_date(&self._out, column, <int> read_le(all, 2), all[2], all[3]):
                return self._no_day()
        elif put_moment(&self._out, column, <int> read_le(all, 2), all[2], all[3], seconds, fraction):
            return self._no_day()
        return 0

    cdef int _no_day(self) noexcept:
        self._reason = "no calendar has this day"
        return 1


cdef int _check(int width, Column* column) except -1:
    """Whether a column of the result lies as what is to become of it is read."""
    cdef bint fits
    if column == NULL:
        fits = width <= 8
    elif column.op == INT2:
        fits = 1 <= width <= 2
    elif column.op == INT4:
        fits = 1 <= width <= 4
    elif column.op == INT8:
        fits = 1 <= width <= 8
    elif column.op == UNSIGNED or column.op == FLOAT8:
        fits = width == 8
    elif column.op == FLOAT4:
        fits = width == 4
    elif column.op == YEAR:
        fits = width == 2
    else:
        fits = width == 0
    if not fits:
        raise Unserved("a result has other columns than were asked for")
    return 0


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
        elif data[at] < 48 or data[at] > 57:
            raise Broken("a number is none")
    if point == size:
        return put_numeric(out, negative, data, <int> size, data, 0)
    return put_numeric(out, negative, data, <int> point, data + point + 1, <int> (size - point - 1))


cdef int _bits(Out* out, Op op, const unsigned char* data, Py_ssize_t size) except -1:
    if size < 1 or size > 8:
        raise Broken("a BIT has one to eight bytes")
    if op == BOOL:
        return put_bool(out, read_be(data, <int> size) != 0)
    if op == BITS64:
        return put_unsigned(out, read_be(data, <int> size))
    if op == BITS:
        return put_int8(out, <int64_t> read_be(data, <int> size))
    raise Unserved("this kind of column is not in a result")
