# cython: language_level=3
"""Days and moments as MySQL has them, put as PostgreSQL counts them: from the beginning of the year 2000."""

from libc.stdint cimport int64_t
from disync.native.columns cimport AS_NULL, AS_TEXT, Column
from disync.native.out cimport Out, be4, put_int4, put_int8, put_null, reserve

cdef enum:
    NO_DAY = -1000000000
    UNIX_DAYS = 10957  # from 1970 to 2000


cdef inline int _month_days(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef inline int64_t day_of(int year, int month, int day) noexcept nogil:
    """Days since 2000-01-01; NO_DAY for a day that no calendar has."""
    if year < 0 or year > 9999 or month < 1 or month > 12 or day < 1 or day > _month_days(year, month):
        return NO_DAY
    # Years that begin with March have their odd day at the end. 400 more, and none is negative.
    if month < 3:
        year -= 1
        month += 12
    year += 400
    return 365 * <int64_t> year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 876523


cdef inline int put_number(unsigned char* at, int64_t number, int digits) noexcept nogil:
    """A number in so many digits at least; returns how many there are."""
    cdef int place, needed = digits
    cdef int64_t rest = number
    for place in range(digits):
        rest //= 10
    while rest:
        needed += 1
        rest //= 10
    for place in range(needed - 1, -1, -1):
        at[place] = 48 + <unsigned char> (number % 10)
        number //= 10
    return needed


cdef inline int put_clock(unsigned char* at, int64_t seconds, int64_t fraction, int digits) noexcept nogil:
    """HH:MM:SS and so many digits of the fraction (in microseconds, less than a second); returns how many bytes."""
    cdef unsigned char micros[20]
    cdef int size, place
    size = put_number(at, seconds // 3600, 2)
    at[size] = 58
    put_number(at + size + 1, seconds // 60 % 60, 2)
    at[size + 3] = 58
    put_number(at + size + 4, seconds % 60, 2)
    size += 6
    if digits:
        put_number(micros, fraction, 6)
        at[size] = 46
        for place in range(digits):
            at[size + 1 + place] = micros[place]
        size += 1 + digits
    return size


cdef inline int put_day_text(unsigned char* at, int year, int month, int day) noexcept nogil:
    cdef int size = put_number(at, year, 4)
    at[size] = 45
    put_number(at + size + 1, month, 2)
    at[size + 3] = 45
    put_number(at + size + 4, day, 2)
    return size + 6


cdef inline int put_date(Out* out, Column* column, int year, int month, int day) except -1:
    """1 where the column's rule is to refuse a day that there is not."""
    cdef int64_t found
    cdef int size
    if column.zero == AS_TEXT:
        reserve(out, 32)
        size = put_day_text(out.data + out.size + 4, year, month, day)
        be4(out.data + out.size, size)
        out.size += 4 + size
        return 0
    found = day_of(year, month, day)
    if found != NO_DAY:
        return put_int4(out, found)
    return _put_no_day(out, column)


cdef inline int put_moment(Out* out, Column* column, int year, int month, int day, int64_t seconds,
                           int64_t fraction) except -1:
    """As put_date; seconds since midnight, the fraction in microseconds."""
    cdef int64_t found
    cdef int size
    if column.zero == AS_TEXT:
        reserve(out, 64)
        size = put_day_text(out.data + out.size + 4, year, month, day)
        out.data[out.size + 4 + size] = 32
        size += 1 + put_clock(out.data + out.size + 5 + size, seconds, fraction, column.digits)
        be4(out.data + out.size, size)
        out.size += 4 + size
        return 0
    found = day_of(year, month, day)
    if found != NO_DAY:
        return put_int8(out, (found * 86400 + seconds) * 1000000 + fraction)
    return _put_no_day(out, column)


cdef inline int put_unix(Out* out, Column* column, int64_t seconds, int64_t fraction) except -1:
    """A TIMESTAMP: seconds since 1970, of which the very first stands for the zero date."""
    cdef int64_t days, month, year, day
    if seconds == 0 and fraction == 0:
        return put_moment(out, column, 0, 0, 0, 0, 0)
    if column.zero != AS_TEXT:
        return put_int8(out, (seconds - <int64_t> UNIX_DAYS * 86400) * 1000000 + fraction)
    days = seconds // 86400
    year = 1970 + days // 366
    while day_of(<int> year + 1, 1, 1) + UNIX_DAYS <= days:
        year += 1
    month = 1
    while month < 12 and day_of(<int> year, <int> month + 1, 1) + UNIX_DAYS <= days:
        month += 1
    day = days - (day_of(<int> year, <int> month, 1) + UNIX_DAYS) + 1
    return put_moment(out, column, <int> year, <int> month, <int> day, seconds % 86400, fraction)


cdef inline int put_span(Out* out, bint negative, int64_t seconds, int64_t fraction, int digits) except -1:
    """A TIME, as MySQL writes it."""
    cdef unsigned char* at
    cdef int size = 0
    reserve(out, 48)
    at = out.data + out.size + 4
    if negative:
        at[0] = 45
        size = 1
    size += put_clock(at + size, seconds, fraction, digits)
    be4(out.data + out.size, size)
    out.size += 4 + size
    return 0


cdef inline int _put_no_day(Out* out, Column* column) except -1:
    if column.zero != AS_NULL:
        return 1
    put_null(out)
    return 0
