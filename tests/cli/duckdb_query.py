#!/usr/bin/env python3
"""Plain DuckDB, without Queuack: runs SQL on a file through DuckDB's own C library.

duckdb_query.py [--write] FILE SQL: prints rows with | between the columns. The library is
$DUCKDB_LIBRARY. Without --write the file is opened for reading only.
"""
import ctypes
import os
import sys


class Result(ctypes.Structure):
    _fields_ = [("a", ctypes.c_uint64 * 3), ("b", ctypes.c_void_p * 3)]


def check(condition, message):
    if not condition:
        sys.exit(f"duckdb: {message}")


def main():
    arguments = sys.argv[1:]
    write = arguments[0] == "--write"
    path, sql = arguments[write:]
    db = ctypes.CDLL(os.environ.get("DUCKDB_LIBRARY", "libduckdb.so"))
    handle, connection, config = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    error, result = ctypes.c_char_p(), Result()
    db.duckdb_create_config(ctypes.byref(config))
    if not write:
        db.duckdb_set_config(config, b"access_mode", b"READ_ONLY")
    failed = db.duckdb_open_ext(path.encode(), ctypes.byref(handle), config, ctypes.byref(error))
    check(failed == 0, (error.value or b"cannot open").decode())
    check(db.duckdb_connect(handle, ctypes.byref(connection)) == 0, "cannot connect")
    failed = db.duckdb_query(connection, sql.encode(), ctypes.byref(result))
    db.duckdb_result_error.restype = ctypes.c_char_p
    check(failed == 0, (db.duckdb_result_error(ctypes.byref(result)) or b"").decode())
    db.duckdb_value_varchar.restype = ctypes.c_void_p
    db.duckdb_row_count.restype = db.duckdb_column_count.restype = ctypes.c_uint64
    columns = db.duckdb_column_count(ctypes.byref(result))
    for row in range(db.duckdb_row_count(ctypes.byref(result))):
        cells = []
        for column in range(columns):
            text = db.duckdb_value_varchar(
                ctypes.byref(result), ctypes.c_uint64(column), ctypes.c_uint64(row))
            cells.append(ctypes.string_at(text).decode() if text else "NULL")
        print("|".join(cells))
    db.duckdb_destroy_result(ctypes.byref(result))
    db.duckdb_disconnect(ctypes.byref(connection))
    db.duckdb_close(ctypes.byref(handle))


main()
