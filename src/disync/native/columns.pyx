"""How columns lie in a server's bytes, told by Python once a table, and what their values become."""

from libc.stdlib cimport calloc, free

_OPS = {
    "int2": INT2, "int4": INT4, "int8": INT8, "unsigned": UNSIGNED, "decimal": DECIMAL, "float4": FLOAT4,
    "float8": FLOAT8, "bool": BOOL, "bits": BITS, "bits64": BITS64, "bytes": BYTES, "padded": PADDED, "text": TEXT,
    "enum": ENUM, "set": SET, "year": YEAR, "date": DATE, "datetime": DATETIME, "timestamp": TIMESTAMP, "time": TIME,
    "old datetime": OLD_DATETIME, "old timestamp": OLD_TIMESTAMP, "old time": OLD_TIME,
}
_ZEROS = {"null": AS_NULL, "text": AS_TEXT, "dirty": REFUSED}


class Unserved(ValueError):
    """What a server holds cannot be read as it is; the text says what to do."""


cdef class Columns:
    """Each of `lies` is a mapping: `name` and `op`, and what the op needs of size, signed, digits, scale, width,
    zero ("null", "text" or "dirty"), virtual, key, and extra: an ENUM's or SET's labels as bytes, or what decodes a text.
    """

    def __cinit__(self, lies):
        cdef int place
        self.count = len(lies)
        if self.count > 4096:
            raise Unserved("no table has so many columns")
        self.at = <Column*> calloc(self.count or 1, sizeof(Column))
        if self.at == NULL:
            raise MemoryError()
        self.names = tuple(lie["name"] for lie in lies)
        self.extras = [lie.get("extra") for lie in lies]
        for place, lie in enumerate(lies):
            self.at[place].op = _OPS[lie["op"]]
            self.at[place].size = lie.get("size", 0)
            self.at[place].signed = lie.get("signed", True)
            self.at[place].digits = lie.get("digits", 0)
            self.at[place].scale = lie.get("scale", 0)
            self.at[place].width = lie.get("width", 0)
            self.at[place].zero = _ZEROS[lie.get("zero", "null")]
            self.at[place].virtual = lie.get("virtual", False)
            self.at[place].key = lie.get("key", False)
            _check(&self.at[place], self.extras[place])

    def __dealloc__(self):
        free(self.at)


cdef int _check(Column* column, extra) except -1:
    """What the loops rely on and do not ask again."""
    if not 0 <= column.size <= 8 or not 0 <= column.digits <= 65 or not 0 <= column.scale <= 65:
        raise Unserved("a column cannot be so large")
    if not 0 <= column.width <= 0xFFFF:
        raise Unserved("a binary value cannot be so wide")
    if column.op >= DATE and column.digits > 6:
        raise Unserved("a fraction of a second has six digits at most")
    if column.op in (ENUM, SET) and not (isinstance(extra, list) and all(type(one) is bytes for one in extra)):
        raise Unserved("an ENUM or SET needs its labels")
    if column.op == TEXT and not callable(extra):
        raise Unserved("a text needs a decoder")
    return 0
