# What `cmake --install` puts where: headers, libraries, CMake package, pkg-config file, program,
# and the fetched libduckdb if that is what was linked.

include(CMakePackageConfigHelpers)

install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/queuack)
install(TARGETS queuack_shared queuack_static EXPORT queuackTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET queuack)
  install(TARGETS queuack RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY "${PROJECT_BINARY_DIR}/generated/man/"
          DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  set(completion "${PROJECT_BINARY_DIR}/generated/completion")
  install(FILES "${completion}/queuack"
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES "${completion}/_queuack" DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES "${completion}/queuack.fish"
          DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
if(DuckDB_BUNDLED)
  install(FILES "${DuckDB_LIBRARY}" DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/queuack)
install(EXPORT queuackTargets NAMESPACE queuack:: DESTINATION ${package_dir})
configure_package_config_file(cmake/queuackConfig.cmake.in queuackConfig.cmake
                              INSTALL_DESTINATION ${package_dir}
                              PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(queuackConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/queuackConfig.cmake"
              "${PROJECT_BINARY_DIR}/queuackConfigVersion.cmake"
        DESTINATION ${package_dir})

set(queuack_pc_http)
if(QUEUACK_HTTP)
  set(queuack_pc_http " -lmicrohttpd -lcurl")
endif()
set(queuack_pc_yaml)
if(QUEUACK_WORKFLOW)
  set(queuack_pc_yaml " -lyaml")
endif()
configure_file(cmake/queuack.pc.in queuack.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/queuack.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
