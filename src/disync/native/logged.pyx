"""How values lie in the row events of a binary log: those of one size each are in logged.pxd."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint64_t

from disync.native.calendar cimport put_date, put_moment, put_span, put_unix
from disync.native.columns cimport *
from disync.native.out cimport *

from disync.native.columns import Unserved
from disync.native.packets import Broken


cdef int put_log_labels(Out* out, Op op, str name, list labels, uint64_t number) except -1:
    """The member of an ENUM, counted from one; the members of a SET, a bit each."""
    cdef Py_ssize_t count = len(labels), place
    cdef bytes label
    if op == ENUM:
        if number > <uint64_t> count:
            raise Unserved(f"Column {name} holds member {number}, and its ENUM has {count} now.")
        label = labels[number - 1] if number else b""
    else:
        if count < 64 and number >> count:
            raise Unserved(f"Column {name} holds a member that its SET, with {count} now, does not have.")
        label = b",".join([labels[place] for place in range(count) if number >> place & 1])
    return put_bytes(out, <const unsigned char*> PyBytes_AS_STRING(label), PyBytes_GET_SIZE(label))


cdef inline int _digit_bytes(int digits) noexcept nogil:
    """Bytes that so many digits of a DECIMAL take, fewer than nine."""
    return (digits + 1) // 2 if digits < 7 else 4


cdef Py_ssize_t put_log_decimal(Out* out, Column* column, const unsigned char* at, Py_ssize_t left) except -1:
    """Groups of nine digits in four bytes each; the group that is not full comes first before the point, last behind it.
    The sign is the first bit, and all bits of a negative number are turned over."""
    cdef unsigned char digits[160]
    cdef int before = column.digits, after = column.scale, place = 0, byte = 0, count
    cdef int size = (before // 9 + after // 9) * 4 + _digit_bytes(before % 9) + _digit_bytes(after % 9)
    cdef unsigned char turn
    if left < size or size == 0:
        raise Broken("a row breaks off")
    turn = 0 if at[0] & 0x80 else 0xFF
    if before % 9:
        _group(digits, at, _digit_bytes(before % 9), before % 9, turn, True)
        place, byte = before % 9, _digit_bytes(before % 9)
    for count in range(before // 9 + after // 9):
        _group(digits + place, at + byte, 4, 9, turn, byte == 0)
        place += 9
        byte += 4
    if after % 9:
        _group(digits + place, at + byte, _digit_bytes(after % 9), after % 9, turn, byte == 0)
    put_numeric(out, turn != 0, digits, before, digits + before, after)
    return size


cdef inline int _group(unsigned char* digits, const unsigned char* at, int size, int count, unsigned char turn,
                       bint first) except -1:
    cdef uint32_t value = 0
    cdef int place
    for place in range(size):
        value = (value << 8) | <unsigned char> (at[place] ^ turn ^ (0x80 if first and place == 0 else 0))
    for place in range(count - 1, -1, -1):
        digits[place] = 48 + <unsigned char> (value % 10)
        value //= 10
    if value:
        raise Broken("a decimal has more digits than its column")
    return 0


cdef inline int64_t _fraction(uint64_t value, int bytes_) except -1:
    """Microseconds of a fraction that lies in so many bytes, of which each holds two digits."""
    cdef int64_t micros = <int64_t> value * (10000 if bytes_ == 1 else 100 if bytes_ == 2 else 1)
    if micros >= 1000000:
        raise Broken("a fraction of a second is none")
    return micros


cdef Py_ssize_t put_log_moment(Out* out, Column* column, const unsigned char* at, Py_ssize_t left, bint* refused) except -1:
    cdef Op op = column.op
    cdef int digits = column.digits
    cdef int more = (digits + 1) // 2
    cdef int64_t value, fraction = 0, day
    cdef Py_ssize_t size = (3 if op == DATE or op == OLD_TIME else 3 + more if op == TIME else 4 + more
                            if op == TIMESTAMP else 5 + more if op == DATETIME else 4 if op == OLD_TIMESTAMP else 8)
    if left < size:
        raise Broken("a row breaks off")
    if op == DATE:
        value = <int64_t> read_le(at, 3)
        refused[0] = put_date(out, column, <int> (value >> 9), <int> (value >> 5 & 15), <int> (value & 31))
    elif op == DATETIME:
        value = <int64_t> read_be(at, 5) - 0x8000000000
        if value < 0:
            raise Broken("a moment is none")
        day = value >> 17
        refused[0] = put_moment(
            out, column, <int> ((day >> 5) // 13), <int> ((day >> 5) % 13), <int> (day & 31),
            ((value >> 12 & 31) * 60 + (value >> 6 & 63)) * 60 + (value & 63), _fraction(read_be(at + 5, more), more),
        )
    elif op == TIMESTAMP:
        refused[0] = put_unix(out, column, <int64_t> read_be(at, 4), _fraction(read_be(at + 4, more), more))
    elif op == OLD_TIMESTAMP:
        refused[0] = put_unix(out, column, <int64_t> read_le(at, 4), 0)
    elif op == TIME:
        # Clock and fraction are one number, whose middle is zero time.
        value = <int64_t> read_be(at, 3 + more) - (<int64_t> 0x800000 << 8 * more)
        fraction = _fraction((value if value >= 0 else -value) & ((<int64_t> 1 << 8 * more) - 1), more)
        day = (value if value >= 0 else -value) >> 8 * more
        put_span(out, value < 0, ((day >> 12 & 0x3FF) * 60 + (day >> 6 & 63)) * 60 + (day & 63), fraction, digits)
    elif op == OLD_TIME:
        value = <int64_t> read_le(at, 3)
        value = value - 0x1000000 if value & 0x800000 else value
        day = value if value >= 0 else -value
        put_span(out, value < 0, (day // 10000 * 60 + day // 100 % 100) * 60 + day % 100, 0, 0)
    elif op == OLD_DATETIME:
        value = <int64_t> (read_le(at, 8) // 1000000)
        day = <int64_t> (read_le(at, 8) % 1000000)
        refused[0] = put_moment(
            out, column, <int> (value // 10000), <int> (value // 100 % 100), <int> (value % 100),
            (day // 10000 * 60 + day // 100 % 100) * 60 + day % 100, 0,
        )
    else:
        raise Unserved("this kind of column is not in a binary log")
    return size
