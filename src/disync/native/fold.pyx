"""Rows of changes → the last state of every key."""

from random import getrandbits

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

from disync.native.out cimport *
from disync.native.keyed cimport *
from disync.native.siphash cimport Sip, sip_begin, sip_end
from disync.native.walk cimport Field, find, walk

from disync.native.packets import Broken

cdef enum Holds:
    LIVE = 1    # the row is there at the end
    NEW = 2     # nothing but inserts made it
    MOVED = 4   # it came from another key
    PAST = 8    # not the last state of its key

_COMPARED = {"plain": PLAIN, "numeric": NUMERIC, "float": FLOAT}


cdef struct State:
    uint64_t hash
    const unsigned char* row
    Py_ssize_t size
    int holds


cdef class Fold:
    """Folds changes by key, L and M (`rows.part`) among them. Deletes of what remains `gone`, then upserts of what is `live`, give the same table as all
    changes one by one, whatever was there before. Keys are compared as the target compares them.

    `keys`: places of the key's fields among `width`; `compared`: for each "plain" (byte by byte), "numeric" (1.5 is
    1.50) or "float" (0 is -0). `ignore`: an insert of a key that is there counts for nothing, so that rows which inserts
    alone have made are kept apart (`live(new=True)`). For one thread, and of no use any more once it has raised.
    """

    cdef State* _states
    cdef Py_ssize_t _count, _room, _left
    cdef uint32_t* _index
    cdef uint64_t _mask
    cdef Sip _seeded
    cdef int _width, _key_count, _key_end
    cdef int* _keys
    cdef Compared* _compared
    cdef Field* _fields
    cdef Field* _after
    cdef Field* _others
    cdef bint _ignore, _spoiled
    cdef list _blocks

    def __cinit__(self, int width, keys, compared, bint ignore):
        cdef int place
        if not keys or len(keys) != len(compared) or any(not 0 <= key < width for key in keys):
            raise Broken("rows come without their key")
        if width > 0xFFFF:
            raise Broken("no rows are so wide")
        self._width, self._key_count, self._key_end, self._ignore = width, len(keys), max(keys) + 1, ignore
        self._keys = <int*> calloc(self._key_count, sizeof(int))
        self._compared = <Compared*> calloc(self._key_count, sizeof(Compared))
        self._fields = <Field*> calloc(width, sizeof(Field))
        self._after = <Field*> calloc(width, sizeof(Field))
        self._others = <Field*> calloc(width, sizeof(Field))
        self._mask = (1 << 10) - 1
        self._index = <uint32_t*> calloc(self._mask + 1, sizeof(uint32_t))
        if not (self._keys and self._compared and self._fields and self._after and self._others and self._index):
            raise MemoryError()
        for place in range(self._key_count):
            self._keys[place] = keys[place]
            self._compared[place] = _COMPARED[compared[place]]
        sip_begin(&self._seeded, getrandbits(64), getrandbits(64))
        self._blocks = []

    def __dealloc__(self):
        free(self._keys)
        free(self._compared)
        free(self._fields)
        free(self._after)
        free(self._others)
        free(self._index)
        free(self._states)

    def __len__(self) -> int:
        return self._left

    def take(self, bytes rows not None, bytes ops=None) -> list:
        """Fold rows in; None for `ops`: all of them inserted. Returns those that have a null in their key."""
        cdef const unsigned char* at = <const unsigned char*> PyBytes_AS_STRING(rows)
        cdef const unsigned char* end = at + PyBytes_GET_SIZE(rows)
        cdef const unsigned char* before
        cdef const unsigned char* op = <const unsigned char*> PyBytes_AS_STRING(ops) if ops is not None else NULL
        cdef Py_ssize_t count = PyBytes_GET_SIZE(ops) if ops is not None else 0, place = 0, size
        cdef unsigned char kind
        cdef bint moved, paired
        refused = []
        self._sound()
        self._spoiled = True
        self._blocks.append(rows)
        while at < end:
            if op != NULL and place >= count:
                raise Broken("there are more rows than changes")
            kind = op[place] if op != NULL else b"I"[0]
            if kind not in b"IBUDLM":
                raise Broken(f"there is no change of kind {kind}")
            size = self._walked(at, end, self._fields)
            paired = kind == b"B"[0] and place + 1 < count and op[place + 1] == b"U"[0]
            moved = False
            if paired:
                before = at
                at += size
                place += 1
                kind = b"U"[0]
                size = self._walked(at, end, self._after)
                moved = not self._equal(self._fields, self._after)
                if moved:
                    self._leave(before, at - before, True)
                self._fields, self._after = self._after, self._fields
            if kind in b"BDL":
                self._leave(at, size, kind != b"D"[0])
            elif not self._arrive(at, size, kind == b"I"[0], moved or kind == b"M"[0]):
                refused.append(PyBytes_FromStringAndSize(<const char*> at, size))
            at += size
            place += 1
        if op != NULL and place != count:
            raise Broken("there are fewer rows than changes")
        self._spoiled = False
        return refused

    def gone(self) -> bytes:
        """The keys of rows that are not there at the end, as rows of the key's fields."""
        cdef Out out
        cdef State* state
        cdef Py_ssize_t place, size
        cdef int key
        cdef Field* field
        out.data = NULL
        out.size = out.room = 0
        self._sound()
        try:
            for place in range(self._count):
                state = &self._states[place]
                if state.holds & (PAST | LIVE):
                    continue
                find(state.row, self._key_end, self._fields)
                reserve(&out, 2)
                be2(out.data + out.size, <uint16_t> self._key_count)
                out.size += 2
                for key in range(self._key_count):
                    field = &self._fields[self._keys[key]]
                    size = 4 + field.size
                    reserve(&out, size)
                    memcpy(out.data + out.size, field.at - 4, size)
                    out.size += size
            return PyBytes_FromStringAndSize(<const char*> out.data, out.size)
        finally:
            release(&out)

    def live(self, bint new) -> bytes:
        """Rows that are there at the end: those that inserts alone made (where conflicts are ignored), or the others."""
        cdef Py_ssize_t place, size = 0
        cdef int wanted = LIVE | (NEW if new else 0)
        self._sound()
        for place in range(self._count):
            if self._states[place].holds & (LIVE | NEW | PAST) == wanted:
                size += self._states[place].size
        found = PyBytes_FromStringAndSize(NULL, size)
        cdef char* at = PyBytes_AS_STRING(found)
        for place in range(self._count):
            if self._states[place].holds & (LIVE | NEW | PAST) == wanted:
                memcpy(at, self._states[place].row, self._states[place].size)
                at += self._states[place].size
        return found

    cdef int _sound(self) except -1:
        if self._spoiled:
            raise Broken("changes before could not be read")
        return 0

    cdef Py_ssize_t _walked(self, const unsigned char* at, const unsigned char* end, Field* fields) except -1:
        cdef Py_ssize_t size = walk(at, end, self._width, fields)
        if size < 0:
            raise Broken("rows break off, or are of another width")
        return size

    cdef bint _arrive(self, const unsigned char* row, Py_ssize_t size, bint inserted, bint moved) except -1:
        """The row whose fields are known has come; False where its key is none."""
        cdef uint64_t hash_
        cdef State* state
        cdef bint new
        if not self._keyed():
            return False
        hash_ = self._hash()
        state = self._find(hash_)
        new = self._ignore and inserted and (state == NULL or state.holds & NEW)
        if new and state != NULL:
            return True  # the second insert of a key is the one to be ignored
        self._put(state, hash_, row, size, LIVE | (NEW if new else 0) | (MOVED if moved else 0))
        return True

    cdef int _leave(self, const unsigned char* row, Py_ssize_t size, bint updated) except -1:
        """The row whose fields are known has gone; a key that is none was never there."""
        cdef uint64_t hash_
        cdef State* state
        if not self._keyed():
            return 0
        hash_ = self._hash()
        state = self._find(hash_)
        if updated and state != NULL and state.holds & LIVE and state.holds & MOVED and (
            state.size != size or memcmp(state.row, row, size)
        ):
            return 0  # another row has moved to this key before its holder left: `id = id + 1` in ascending order
        self._put(state, hash_, row, size, 0)
        return 0

    cdef bint _keyed(self) noexcept:
        cdef int key
        for key in range(self._key_count):
            if self._fields[self._keys[key]].size < 0:
                return False
        return True

    cdef uint64_t _hash(self) noexcept:
        """Of what `_equal` compares."""
        cdef Sip sip = self._seeded
        cdef int key
        for key in range(self._key_count):
            sip_field(&sip, &self._fields[self._keys[key]], self._compared[key])
        return sip_end(&sip)

    cdef bint _equal(self, Field* some, Field* others) noexcept:
        cdef int key
        cdef Field* one
        cdef Field* other
        for key in range(self._key_count):
            one, other = &some[self._keys[key]], &others[self._keys[key]]
            if one.size < 0 or other.size < 0:
                if one.size != other.size:
                    return False
            elif self._compared[key] == FLOAT and is_zero(one) and is_zero(other):
                continue
            elif one.size != other.size:
                return False
            elif self._compared[key] == NUMERIC and one.size >= 8:
                if memcmp(one.at, other.at, 6) or memcmp(one.at + 8, other.at + 8, one.size - 8):
                    return False
            elif memcmp(one.at, other.at, one.size):
                return False
        return True

    cdef State* _find(self, uint64_t hash_) noexcept:
        """The state of the key whose fields are known; NULL where it has none."""
        cdef uint64_t slot = hash_ & self._mask
        cdef State* state
        while self._index[slot]:
            state = &self._states[self._index[slot] - 1]
            if state.hash == hash_:
                find(state.row, self._key_end, self._others)
                if self._equal(self._fields, self._others):
                    return state
            slot = (slot + 1) & self._mask
        return NULL

    cdef int _put(self, State* old, uint64_t hash_, const unsigned char* row, Py_ssize_t size, int holds) except -1:
        """The newest state of a key, in the place of its old one. States stay in the order of their last change."""
        cdef Py_ssize_t old_place = old - self._states if old != NULL else -1
        cdef State* grown
        if self._count >= 0xFFFFFFF0:
            raise Broken("there are too many changes")
        if self._count == self._room:
            self._room = self._room * 2 + 1024
            grown = <State*> realloc(self._states, self._room * sizeof(State))
            if grown == NULL:
                raise MemoryError()
            self._states = grown
        self._states[self._count] = State(hash_, row, size, holds)
        self._count += 1
        if old_place >= 0:
            self._states[old_place].holds |= PAST
            self._index[self._slot(hash_, <uint32_t> (old_place + 1))] = <uint32_t> self._count
            return 0
        self._left += 1
        if <uint64_t> self._left * 2 > self._mask:
            return self._widen()
        self._index[self._slot(hash_, 0)] = <uint32_t> self._count
        return 0

    cdef uint64_t _slot(self, uint64_t hash_, uint32_t holding) noexcept:
        cdef uint64_t slot = hash_ & self._mask
        while self._index[slot] != holding:
            slot = (slot + 1) & self._mask
        return slot

    cdef int _widen(self) except -1:
        cdef uint64_t mask = self._mask * 4 + 3
        cdef uint32_t* index = <uint32_t*> calloc(mask + 1, sizeof(uint32_t))
        cdef Py_ssize_t place
        if index == NULL:
            raise MemoryError()
        free(self._index)
        self._index, self._mask = index, mask
        for place in range(self._count):
            if not self._states[place].holds & PAST:
                self._index[self._slot(self._states[place].hash, 0)] = <uint32_t> (place + 1)
        return 0
