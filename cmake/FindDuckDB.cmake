# Finds libduckdb and duckdb.h: DuckDB::DuckDB, DuckDB_LIBRARY, DuckDB_LIBRARY_DIR,
# DuckDB_INCLUDE_DIR, DuckDB_BUNDLED (true when it is the fetched copy).
#
# Looked for in this order; only the last step may use the network:
#   1. DUCKDB_ROOT, a cache or environment variable: the folder of an unpacked libduckdb archive,
#      or a prefix with lib/ and include/;
#   2. an installed CMake package;  3. pkg-config;  4. the system's folders;
#   5. the pinned copy in .deps/, fetched by tools/fetch-duckdb.sh if it is not there yet.

set(DUCKDB_ROOT "$ENV{DUCKDB_ROOT}" CACHE PATH "Where DuckDB is installed; no network is used then")
set(DuckDB_BUNDLED OFF)

function(_duckdb_look_in)
  find_library(DuckDB_LIBRARY NAMES duckdb HINTS ${ARGN} PATH_SUFFIXES lib lib64
               NO_DEFAULT_PATH)
  find_path(DuckDB_INCLUDE_DIR NAMES duckdb.h HINTS ${ARGN} PATH_SUFFIXES include
            NO_DEFAULT_PATH)
endfunction()

if(DUCKDB_ROOT)
  _duckdb_look_in("${DUCKDB_ROOT}")
  if(NOT DuckDB_LIBRARY OR NOT DuckDB_INCLUDE_DIR)
    message(FATAL_ERROR "DUCKDB_ROOT is ${DUCKDB_ROOT}, but libduckdb and duckdb.h are not there "
                        "(looked in it and in its lib/ and include/)")
  endif()
endif()

if(NOT DuckDB_LIBRARY)
  find_package(DuckDB CONFIG QUIET)
  if(TARGET duckdb)
    get_target_property(DuckDB_LIBRARY duckdb LOCATION)
    find_path(DuckDB_INCLUDE_DIR NAMES duckdb.h
              HINTS "${DuckDB_INCLUDE_DIRS}" "${DuckDB_DIR}/../../../include")
  endif()
endif()

if(NOT DuckDB_LIBRARY)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(DuckDB_PC QUIET duckdb)
  endif()
  find_library(DuckDB_LIBRARY NAMES duckdb HINTS ${DuckDB_PC_LIBRARY_DIRS})
  find_path(DuckDB_INCLUDE_DIR NAMES duckdb.h HINTS ${DuckDB_PC_INCLUDE_DIRS})
endif()

set(_duckdb_deps "${CMAKE_CURRENT_LIST_DIR}/../.deps/duckdb")
if((NOT DuckDB_LIBRARY OR NOT DuckDB_INCLUDE_DIR) AND QUEUACK_FETCH_DUCKDB)
  unset(DuckDB_LIBRARY CACHE)
  unset(DuckDB_INCLUDE_DIR CACHE)
  execute_process(COMMAND sh "${CMAKE_CURRENT_LIST_DIR}/../tools/fetch-duckdb.sh"
                  RESULT_VARIABLE _duckdb_fetched)
  if(NOT _duckdb_fetched EQUAL 0)
    message(FATAL_ERROR "DuckDB is neither installed nor could it be fetched: "
                        "unpack an official libduckdb archive and set DUCKDB_ROOT to its folder")
  endif()
  _duckdb_look_in("${_duckdb_deps}")
endif()

if(DuckDB_LIBRARY)
  get_filename_component(DuckDB_LIBRARY_DIR "${DuckDB_LIBRARY}" DIRECTORY)
  get_filename_component(_duckdb_real "${DuckDB_LIBRARY_DIR}" REALPATH)
  get_filename_component(_duckdb_deps_real "${_duckdb_deps}/lib" REALPATH)
  if(_duckdb_real STREQUAL _duckdb_deps_real)
    set(DuckDB_BUNDLED ON)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DuckDB REQUIRED_VARS DuckDB_LIBRARY DuckDB_INCLUDE_DIR)
mark_as_advanced(DuckDB_LIBRARY DuckDB_INCLUDE_DIR)

if(DuckDB_FOUND AND NOT TARGET DuckDB::DuckDB)
  add_library(DuckDB::DuckDB UNKNOWN IMPORTED)
  set_target_properties(DuckDB::DuckDB PROPERTIES
    IMPORTED_LOCATION "${DuckDB_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${DuckDB_INCLUDE_DIR}")
endif()
