"""A socket's bytes → whole packets of MySQL's protocol: a length of three bytes, a number that counts up, a payload."""

from cpython.buffer cimport PyBUF_WRITE
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove

cdef enum:
    CHUNK = 1 << 18
    HEADER = 4
    MOST = 0xFFFFFF  # a payload of this length goes on in the next packet


class Broken(ValueError):
    """What a server sent breaks its own protocol. Whatever raised this is of no use any more, and says so when asked."""


cdef class Packets:
    """Holds what has been received and not been read. One packet at a time is whole and in one piece; one of more than
    `most` bytes is refused before it has come."""

    def __cinit__(self, int sequence=1, Py_ssize_t most=1 << 30):
        self._data = <unsigned char*> malloc(CHUNK)
        if self._data == NULL:
            raise MemoryError()
        self._room = CHUNK
        self._start = self._stop = 0
        self._sequence, self._most = sequence, most

    def __dealloc__(self):
        free(self._data)

    def receive(self, into) -> int:
        """Call `into` with room for more bytes, as a socket's recv_into; returns how many came, 0 at the end."""
        cdef Py_ssize_t came
        if self._receiving:
            raise Broken("bytes are being received already")  # and would be moved away from under their receiver
        self._make_room()
        view = PyMemoryView_FromMemory(<char*> self._data + self._stop, self._room - self._stop, PyBUF_WRITE)
        self._receiving = True
        try:
            came = into(view)
        finally:
            self._receiving = False
            view.release()
        if came < 0 or came > self._room - self._stop:
            raise Broken("more bytes came than there was room for")
        self._stop += came
        return came

    def packet(self):
        """The next packet's payload; None while it has not come whole."""
        cdef const unsigned char* at
        cdef Py_ssize_t size
        if not self.next(&at, &size):
            return None
        return PyBytes_FromStringAndSize(<const char*> at, size)

    cdef int next(self, const unsigned char** at, Py_ssize_t* size) except -1:
        """1 and the next payload, which stays where it is until more is received; 0 while it has not come whole."""
        cdef Py_ssize_t place = self._start, length
        cdef int pieces = 0
        while True:
            if self._stop - place < HEADER:
                return 0
            length = self._data[place] | (self._data[place + 1] << 8) | (self._data[place + 2] << 16)
            if place - self._start - HEADER * pieces + length > self._most:
                raise Broken(f"a packet has more than {self._most} bytes")
            if self._stop - place - HEADER < length:
                return 0
            place += HEADER + length
            pieces += 1
            if length < MOST:
                break
        self._count(pieces)
        at[0] = self._data + self._start + HEADER
        size[0] = place - self._start - HEADER * pieces
        if pieces > 1:
            self._join(pieces)
        self._start = place
        return 1

    cdef int _count(self, int pieces) except -1:
        """Every packet has the number after the one before it; a server may begin anew for its last words."""
        cdef Py_ssize_t place = self._start
        cdef int piece, sequence = self._sequence
        for piece in range(pieces):
            if self._data[place + 3] != sequence:
                if self._data[place + 3] != 0:
                    raise Broken("a packet was lost")
                sequence = 0
            sequence = (sequence + 1) & 0xFF
            place += HEADER + MOST
        self._sequence = sequence
        return 0

    cdef void _join(self, int pieces) noexcept:
        """Close the gaps that the headers of a long payload's later packets leave."""
        cdef Py_ssize_t source = self._start + HEADER + MOST + HEADER, target = self._start + HEADER + MOST, length
        cdef int piece
        for piece in range(1, pieces):
            length = self._data[source - 4] | (self._data[source - 3] << 8) | (self._data[source - 2] << 16)
            memmove(self._data + target, self._data + source, length)
            target += length
            source += length + HEADER

    cdef int _make_room(self) except -1:
        cdef Py_ssize_t held = self._stop - self._start, wanted
        cdef unsigned char* moved
        if self._start and self._room - self._stop < CHUNK // 2:
            memmove(self._data, self._data + self._start, held)
            self._start, self._stop = 0, held
        if self._room - self._stop < CHUNK // 2:
            wanted = self._room * 2
        elif held == 0 and self._room > 16 * CHUNK:
            wanted = CHUNK  # a row of many megabytes has gone by
            self._start = self._stop = 0
        else:
            return 0
        moved = <unsigned char*> realloc(self._data, wanted)
        if moved == NULL:
            raise MemoryError()
        self._data = moved
        self._room = wanted
        return 0
