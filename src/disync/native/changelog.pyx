"""Packets of a binary log → rows of changes in the format `pgcopy`.

Events that hold rows of tables that were announced are read here. All others are handed out, one by one, for Python to
read: those that begin and end transactions among them, so the rows in between are this file's affair alone.
"""

from binascii import crc32
from struct import error as StructError

from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memmove

from disync.native.columns cimport *
from disync.native.logged cimport *
from disync.native.out cimport *
from disync.native.packets cimport Packets

from disync.native.columns import Unserved
from disync.native.packets import Broken

cdef enum:
    HEADER = 19
    ARTIFICIAL = 0x20
    ROTATE = 4
    HEARTBEAT = 27        # says where the server is, and is not in the log
    HEARTBEAT_V2 = 41
    TABLE_MAP = 19
    FIRST_1 = 23          # WRITE, UPDATE and DELETE of the first version
    FIRST_2 = 30          # and of the second
    FIRST_SQUEEZED_1 = 166  # MariaDB's compressed ones
    FIRST_SQUEEZED_2 = 169

_UNKNOWN = object()


cdef class LogTable:
    """The rows of one table that are held: `whole` ones belong to transactions that have ended, the others follow them.
    `subject` is whatever the caller knows the table by."""

    cdef Columns _columns
    cdef Out _out, _ops
    cdef Py_ssize_t _whole_size
    cdef bint _touched
    cdef readonly object subject
    cdef readonly Py_ssize_t whole

    def __cinit__(self, Columns columns not None, subject):
        cdef int place
        for place in range(columns.count):
            _check_column(&columns.at[place])
        self._columns, self.subject = columns, subject

    def __dealloc__(self):
        release(&self._out)
        release(&self._ops)

    cdef tuple take(self, bint whole):
        """(rows, ops), of ended transactions or all; what is left moves up."""
        cdef Py_ssize_t size = self._whole_size if whole else self._out.size
        cdef Py_ssize_t count = self.whole if whole else self._ops.size
        rows = PyBytes_FromStringAndSize(<const char*> self._out.data, size)
        ops = PyBytes_FromStringAndSize(<const char*> self._ops.data, count)
        _drop(&self._out, size)
        _drop(&self._ops, count)
        self._whole_size = self.whole = 0
        return rows, ops


cdef int _check_column(Column* column) except -1:
    """What the loop relies on: a column of a result, too, is a Column, and does not say how it lies in a log."""
    cdef Op op = column.op
    cdef int least = 1, most = 8
    if op >= DATE or op == DECIMAL and column.digits + column.scale:
        return 0
    if op == INT2:
        most = 2
    elif op == INT4 or op == BYTES or op == PADDED or op == TEXT:
        most = 4
    elif op == FLOAT4 or op == FLOAT8:
        least = most = 4 if op == FLOAT4 else 8
    elif op == YEAR:
        most = 1
    if op == DECIMAL or not least <= column.size <= most:
        raise Unserved("a column does not say how it lies in a log")
    return 0


cdef void _drop(Out* out, Py_ssize_t size) noexcept:
    cdef Py_ssize_t left = out.size - size
    if left:
        memmove(out.data, out.data + size, left)
    out.size = left
    if left == 0 and out.room > 1 << 24:
        release(out)


cdef class LogRows:
    """For one thread, and of no use any more once it has raised.

    `checksums`: whether events carry them. `offset`: the place in the file behind the last event, of which events
    tell the lower 32 bits. `count` and `size`: rows and bytes that are held, `whole` of them of ended transactions.
    `refused`: (subject, op, mask of the columns that are there, the row's image, the column's name, why); whoever takes
    rows takes and clears them, too.
    """

    cdef Packets _packets
    cdef dict _known, _by_number
    cdef list _touched, _emptied
    cdef object _inflate
    cdef bytes _last_map
    cdef object _last_table
    cdef str _reason
    cdef Py_ssize_t _most_rows, _most_bytes, _refused_size
    cdef int64_t _offset
    cdef bint _spoiled
    cdef public bint checksums
    cdef readonly Py_ssize_t count, size, whole
    cdef readonly list refused

    def __cinit__(self, Packets packets not None, inflate, Py_ssize_t most_rows, Py_ssize_t most_bytes):
        self._packets, self._inflate = packets, inflate
        self._most_rows, self._most_bytes = most_rows, most_bytes
        self._known, self._by_number, self._touched, self._emptied = {}, {}, [], []
        self.refused = []

    @property
    def enough(self) -> bool:
        return self._enough()

    cdef bint _enough(self) noexcept:
        cdef Py_ssize_t refused = len(self.refused)
        return (self.count + refused >= self._most_rows
                or self.size + (self._refused_size if refused else 0) >= self._most_bytes)

    @property
    def offset(self) -> int:
        return self._offset

    @offset.setter
    def offset(self, value):
        self._offset = value

    def announce(self, bytes body not None, table):
        """What a TABLE_MAP of these words stands for: a LogTable, or None for a table whose rows are passed over."""
        if table is not None and not isinstance(table, LogTable):
            raise TypeError("a LogTable or None")
        if len(self._known) >= 10_000:
            self._known.clear()
        self._known[body] = table
        self._last_map = None
        if len(body) >= 6:
            self._by_number[read_le(<const unsigned char*> PyBytes_AS_STRING(body), 6)] = table

    def forget(self):
        """Nothing that was announced holds any more."""
        self._known, self._by_number, self._last_map = {}, {}, None

    def next(self):
        """The next packet that is not for this class; None where as many rows are held as are wanted at once (`enough`),
        or where more has to be received first."""
        cdef const unsigned char* at
        cdef Py_ssize_t size
        while not self._enough() and self._packets.next(&at, &size):
            if not self._taken(at, size):
                return PyBytes_FromStringAndSize(<const char*> at, size)
        self._sound()
        return None

    def read(self, bytes event not None) -> bool:
        """Take an event that came inside of another one, without a checksum; whether it is for this class."""
        cdef bint checksums = self.checksums
        cdef int64_t offset = self._offset
        self.checksums = False
        try:
            packet = b"\0" + event
            return self._taken(<const unsigned char*> PyBytes_AS_STRING(packet), PyBytes_GET_SIZE(packet))
        finally:
            self.checksums, self._offset = checksums, offset

    def end_transaction(self):
        """All rows held are of ended transactions from now on."""
        cdef LogTable table
        for table in self._touched:
            table.whole, table._whole_size = table._ops.size, table._out.size
        self.whole = self.count
        if len(self._by_number) > 10_000:
            self._by_number.clear()  # every statement announces its tables anew

    def take(self, bint whole) -> list:
        """(subject, rows, ops) of each table that has some, of ended transactions only or all of them."""
        cdef LogTable table
        self._sound()
        found, left = [], []
        self.count = self.size = 0
        for table in self._emptied:
            if table._ops.size == 0:  # and nothing came since: of many tables most would keep their memory in vain
                release(&table._out)
                release(&table._ops)
        self._emptied = self._touched
        for table in self._touched:
            if table._ops.size and (table.whole or not whole):
                found.append((table.subject, *table.take(whole)))
            if table._ops.size:
                left.append(table)
                self.count += table._ops.size
                self.size += table._out.size
            else:
                table._touched = False
        self._touched = left
        self.whole = 0
        return found

    cdef bint _taken(self, const unsigned char* at, Py_ssize_t size) except -1:
        """Whether the packet was an event for this class, and has been read."""
        cdef int kind
        cdef Py_ssize_t body
        self._sound()
        if size < 1 + HEADER or at[0] != 0:
            return False
        at += 1
        size -= 1
        kind = at[4]
        if read_le(at + 9, 4) != <uint64_t> size:
            return False  # the reference says what is wrong with it
        self._pass(kind, at, size)
        if not (kind == TABLE_MAP or FIRST_1 <= kind < FIRST_1 + 3 or FIRST_2 <= kind < FIRST_2 + 3
                or FIRST_SQUEEZED_1 <= kind < FIRST_SQUEEZED_2 + 3):
            return False
        cdef bint taken
        self._spoiled = True
        body = size - HEADER
        if self.checksums:
            self._check(at, size)
            body -= 4
        if body < 8:
            raise Broken("an event is too short")
        taken = self._map(at + HEADER, body) if kind == TABLE_MAP else self._rows(kind, at + HEADER, body)
        self._spoiled = False
        return taken

    cdef int _sound(self) except -1:
        if self._spoiled:
            raise Broken("an event before could not be read")
        return 0

    cdef void _pass(self, int kind, const unsigned char* at, Py_ssize_t size) noexcept:
        cdef uint32_t end = <uint32_t> read_le(at + 13, 4)
        if kind in (ROTATE, HEARTBEAT, HEARTBEAT_V2) or end == 0 or read_le(at + 17, 2) & ARTIFICIAL:
            return
        self._offset += size
        self._offset += <uint32_t> (end - <uint32_t> self._offset)

    cdef int _check(self, const unsigned char* at, Py_ssize_t size) except -1:
        if size < HEADER + 4 or <uint32_t> crc32(
            PyMemoryView_FromMemory(<char*> at, size - 4, PyBUF_READ)
        ) != <uint32_t> read_le(at + size - 4, 4):
            raise Broken(f"an event of kind {at[4]} that ends at {read_le(at + 13, 4)} fails its checksum")
        return 0

    cdef bint _map(self, const unsigned char* at, Py_ssize_t size) except -1:
        cdef bint same = self._last_map is not None and PyBytes_GET_SIZE(self._last_map) == size
        if not (same and memcmp(PyBytes_AS_STRING(self._last_map), at, size) == 0):
            body = PyBytes_FromStringAndSize(<const char*> at, size)
            if body not in self._known:
                self._by_number.pop(read_le(at, 6), None)
                return False
            self._last_map, self._last_table = body, self._known[body]
        self._by_number[read_le(at, 6)] = self._last_table
        return True

    cdef bint _rows(self, int kind, const unsigned char* at, Py_ssize_t size) except -1:
        cdef bint squeezed = kind >= FIRST_SQUEEZED_1
        cdef bint second = FIRST_2 <= kind < FIRST_2 + 3 or kind >= FIRST_SQUEEZED_2
        cdef int first = FIRST_2 if second else FIRST_1
        cdef int what = kind - (FIRST_SQUEEZED_2 if second else FIRST_SQUEEZED_1) if squeezed else kind - first
        cdef uint64_t number = read_le(at, 6)
        cdef const unsigned char* end = at + size
        cdef LogTable table
        found = self._by_number.get(number, _UNKNOWN)
        if found is _UNKNOWN:
            return False  # not announced, or the end of a statement
        if found is None:
            return True
        table = <LogTable> found
        at += 8
        if second:
            if end - at < 2 or read_le(at, 2) < 2 or read_le(at, 2) > <uint64_t> (end - at):
                raise Broken("a row event breaks off")
            at += read_le(at, 2)
        at = self._head(table, at, end)
        cdef int images = 2 if what == 1 else 1
        cdef int mask = (table._columns.count + 7) // 8
        if end - at < images * mask:
            raise Broken("a row event breaks off")
        cdef const unsigned char* masks = at
        at += images * mask
        cdef bytes inflated
        if squeezed:
            inflated = self._inflate(PyBytes_FromStringAndSize(<const char*> at, end - at))
            if inflated is None:
                raise TypeError("what inflates gives bytes")
            at = <const unsigned char*> PyBytes_AS_STRING(inflated)
            end = at + PyBytes_GET_SIZE(inflated)
        self._images(table, what, masks, at, end)
        return True

    cdef const unsigned char* _head(self, LogTable table, const unsigned char* at,
                                    const unsigned char* end) except NULL:
        """Behind the number of columns, which has to be the table's."""
        cdef int more = 0
        cdef uint64_t width
        if at < end:
            more = 2 if at[0] == 0xFC else 3 if at[0] == 0xFD else 8 if at[0] == 0xFE else 0
        if end - at <= more:
            raise Broken("a row event breaks off")
        width = read_le(at + 1, more) if more else at[0]
        if width != <uint64_t> table._columns.count:
            raise Broken(f"a row of {width} columns comes for a table of {table._columns.count}")
        return at + 1 + more

    cdef int _images(self, LogTable table, int what, const unsigned char* masks, const unsigned char* at,
                     const unsigned char* end) except -1:
        """All rows of an event. `what`: 0 inserted, 1 updated (a row before, a row after), 2 deleted."""
        cdef Py_ssize_t start, pair, before = table._out.size
        cdef bint moved
        cdef int mask = (table._columns.count + 7) // 8
        cdef const unsigned char* image
        cdef int images = 2 if what == 1 else 1, turn
        self._whole_mask(table, masks, images)
        if not table._touched and at < end:
            table._touched = True
            self._touched.append(table)
        while at < end:
            pair = table._out.size
            for turn in range(images):
                start = table._out.size
                image = at
                if at >= end:
                    raise Broken("an update has no row after it")
                at = self._image(table, masks + turn * mask, at, end, what == 2 or (what == 1 and turn == 0))
                if at == image:
                    raise Broken("a row has no bytes")  # and there would be no end of them
                if self._reason is not None:
                    moved = turn == 1 and pair < start and self._moved(table, pair, start)
                    table._out.size = start
                    if turn == images - 1:
                        self._refuse(table, "IUD"[what], masks[turn * mask:(turn + 1) * mask], image[:at - image])
                    self._reason = None
                    if turn == 0 and images == 2:
                        continue  # an update whose row before cannot be had is told by its row after alone
                    if moved:  # the source has nothing under that key any more
                        table._ops.data[table._ops.size - 1] = b"D"[0]
                    elif images == 2 and table._ops.size and pair < start:
                        table._out.size = pair
                        table._ops.size -= 1
                        self.count -= 1
                    continue
                reserve(&table._ops, 1)
                table._ops.data[table._ops.size] = (b"I"[0] if what == 0 else b"D"[0] if what == 2
                                                    else b"U"[0] if turn else b"B"[0])
                table._ops.size += 1
                self.count += 1
        self.size += table._out.size - before
        return 0

    cdef bint _moved(self, LogTable table, Py_ssize_t before, Py_ssize_t after) noexcept:
        """Whether the rows that lie at two places have other keys. A value that cannot be read is null here."""
        cdef const unsigned char* one = <const unsigned char*> table._out.data + before + 2
        cdef const unsigned char* other = <const unsigned char*> table._out.data + after + 2
        cdef int32_t size, other_size
        cdef int place
        for place in range(table._columns.count):
            size, other_size = <int32_t> read_be4(one), <int32_t> read_be4(other)
            if table._columns.at[place].key and (size != other_size or size > 0 and memcmp(one + 4, other + 4, size) != 0):
                return True
            one += 4 + (size if size > 0 else 0)
            other += 4 + (other_size if other_size > 0 else 0)
        return False

    cdef int _whole_mask(self, LogTable table, const unsigned char* masks, int images) except -1:
        """Columns that are computed when they are read may be missing from a row; others must not."""
        cdef int place, turn, mask = (table._columns.count + 7) // 8
        for turn in range(images):
            for place in range(table._columns.count):
                if not masks[turn * mask + place // 8] >> (place % 8) & 1 and not table._columns.at[place].virtual:
                    raise Unserved(
                        "The binary log holds rows that are not whole: binlog_row_image was not FULL when they were "
                        "written. Set it to FULL, and load the tables again."
                    )
        return 0

    cdef int _refuse(self, LogTable table, str op, bytes mask, bytes image) except -1:
        column, reason = self._reason.split(": ", 1)
        if not self.refused:
            self._refused_size = 0
        self.refused.append((table.subject, op, mask, image, column, reason))
        self._refused_size += len(image)
        return 0

    cdef const unsigned char* _image(self, LogTable table, const unsigned char* mask, const unsigned char* at,
                                     const unsigned char* end, bint lenient) except NULL:
        """One row; the place behind it. Where a value is refused the reason is kept, and the rest is read all the same.
        `lenient`: a row that goes, of which the key counts."""
        cdef Columns columns = table._columns
        cdef int place, present = 0, bit = 0
        cdef const unsigned char* nulls = at
        cdef Py_ssize_t used
        for place in range(columns.count):
            present += mask[place // 8] >> (place % 8) & 1
        if end - at < (present + 7) // 8:
            raise Broken("a row breaks off")
        at += (present + 7) // 8
        reserve(&table._out, 2)
        be2(table._out.data + table._out.size, <uint16_t> columns.count)
        table._out.size += 2
        for place in range(columns.count):
            if not mask[place // 8] >> (place % 8) & 1:
                put_null(&table._out)
                continue
            if nulls[bit // 8] >> (bit % 8) & 1:
                put_null(&table._out)
            else:
                at += self._value(&table._out, columns, place, at, end - at, lenient)
            bit += 1
        return at

    cdef Py_ssize_t _value(self, Out* out, Columns columns, int place, const unsigned char* at, Py_ssize_t left,
                           bint lenient) except -1:
        """Put one value; returns how many bytes it took."""
        cdef Column* column = &columns.at[place]
        cdef Op op = column.op
        cdef Py_ssize_t size = column.size, start = out.size
        cdef bint refused = False
        if left < size:
            raise Broken("a row breaks off")
        if op == INT8:
            put_int8(out, stored_number(at, column.size, column.signed))
        elif op == INT4:
            put_int4(out, stored_number(at, column.size, column.signed))
        elif op == INT2:
            put_int2(out, stored_number(at, column.size, column.signed))
        elif op == BYTES or op == PADDED or op == TEXT:
            size += <Py_ssize_t> read_le(at, column.size)
            if size > left or size < column.size:
                raise Broken("a row breaks off")
            if op == BYTES:
                put_bytes(out, at + column.size, size - column.size)
            elif op == PADDED:
                put_padded(out, at + column.size, size - column.size, column.width)
            else:
                refused = self._text(out, columns, place, at + column.size, size - column.size)
        elif op == DECIMAL:
            size = put_log_decimal(out, column, at, left)
        elif op == FLOAT8 or op == FLOAT4:
            put_log_float(out, at, <int> size)
        elif op == ENUM or op == SET:
            put_log_labels(out, op, columns.names[place], <list> columns.extras[place], read_le(at, <int> size))
        elif op == UNSIGNED:
            put_unsigned(out, read_le(at, <int> size))
        elif op == BOOL:
            put_bool(out, read_be(at, <int> size) != 0)
        elif op == BITS:
            put_int8(out, <int64_t> read_be(at, <int> size))
        elif op == BITS64:
            put_unsigned(out, read_be(at, <int> size))
        elif op == YEAR:
            put_int2(out, at[0] + 1900 if at[0] else 0)
        elif lenient and column.zero == REFUSED:
            column.zero = AS_NULL
            try:
                size = put_log_moment(out, column, at, left, &refused)
            finally:
                column.zero = REFUSED
        else:
            size = put_log_moment(out, column, at, left, &refused)
            if refused:
                self._reason = f"{columns.names[place]}: no calendar has this day"
        if refused:
            out.size = start
            put_null(out)
        return size

    cdef bint _text(self, Out* out, Columns columns, int place, const unsigned char* data, Py_ssize_t size) except -1:
        cdef Py_ssize_t length
        cdef const char* encoded
        try:
            text = columns.extras[place](PyBytes_FromStringAndSize(<const char*> data, size))
            encoded = PyUnicode_AsUTF8AndSize(text, &length)
        except UnicodeError as error:
            self._reason = f"{columns.names[place]}: it is no text in its character set: {error}"
            return True
        except (ValueError, IndexError, OverflowError, StructError) as error:
            raise Broken(f"column {columns.names[place]} cannot be read: {error}") from error
        if length > MOST_TEXT:
            self._reason = f"{columns.names[place]}: it is a text of {length} bytes"
            return True
        put_bytes(out, <const unsigned char*> encoded, length)
        return False
