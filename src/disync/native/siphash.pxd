# cython: language_level=3
"""SipHash-1-3: nobody who chooses the bytes, but does not know the seed, can choose where they fall.

Words are taken in one by one; whoever takes in several fields takes in their sizes, too.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy


cdef struct Sip:
    uint64_t a
    uint64_t b
    uint64_t c
    uint64_t d


cdef inline void sip_begin(Sip* sip, uint64_t one, uint64_t other) noexcept nogil:
    sip.a = one ^ 0x736F6D6570736575u
    sip.b = other ^ 0x646F72616E646F6Du
    sip.c = one ^ 0x6C7967656E657261u
    sip.d = other ^ 0x7465646279746573u


cdef inline uint64_t _turned(uint64_t word, int bits) noexcept nogil:
    return (word << bits) | (word >> (64 - bits))


cdef inline void _round(Sip* sip) noexcept nogil:
    sip.a += sip.b
    sip.c += sip.d
    sip.b = _turned(sip.b, 13) ^ sip.a
    sip.d = _turned(sip.d, 16) ^ sip.c
    sip.a = _turned(sip.a, 32)
    sip.c += sip.b
    sip.a += sip.d
    sip.b = _turned(sip.b, 17) ^ sip.c
    sip.d = _turned(sip.d, 21) ^ sip.a
    sip.c = _turned(sip.c, 32)


cdef inline void sip_word(Sip* sip, uint64_t word) noexcept nogil:
    sip.d ^= word
    _round(sip)
    sip.a ^= word


cdef inline void sip_bytes(Sip* sip, const unsigned char* at, Py_ssize_t size) noexcept nogil:
    """The size, and then the bytes with zeros up to a whole word."""
    cdef uint64_t word
    sip_word(sip, <uint64_t> size)
    while size >= 8:
        memcpy(&word, at, 8)
        sip_word(sip, word)
        at += 8
        size -= 8
    if size > 0:
        word = 0
        memcpy(&word, at, size)
        sip_word(sip, word)


cdef inline uint64_t sip_end(Sip* sip) noexcept nogil:
    cdef int turn
    sip.c ^= 0xFF
    for turn in range(3):
        _round(sip)
    return sip.a ^ sip.b ^ sip.c ^ sip.d
