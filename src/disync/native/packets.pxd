# cython: language_level=3

cdef class Packets:
    cdef unsigned char* _data
    cdef Py_ssize_t _start, _stop, _room, _most
    cdef int _sequence
    cdef bint _receiving
    cdef int next(self, const unsigned char** at, Py_ssize_t* size) except -1
    cdef int _count(self, int pieces) except -1
    cdef void _join(self, int pieces) noexcept
    cdef int _make_room(self) except -1
