# The packages graced, graced-probe, graced-top, graced-exporter, libgraced-child-dev and libgraced-child0, by CPack; packaging/package is how they are built.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME graced)
set(CPACK_PACKAGE_VENDOR "the graced authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each has its own, as its first line
set(CPACK_PACKAGE_CONTACT "${GRACED_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_SET_DESTDIR ON)  # /etc and /lib are outside of the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL graced probe top exporter sdk shared)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_GRACED_PACKAGE_NAME graced)
set(CPACK_DEBIAN_GRACED_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_GRACED_PACKAGE_SHLIBDEPS ON)
# Loaded when it is needed, which nobody can see from outside: the oldest one that has all of its symbols.
set(CPACK_DEBIAN_GRACED_PACKAGE_DEPENDS "libsystemd0 (>= 248)")
set(CPACK_DEBIAN_GRACED_PACKAGE_SUGGESTS "graced-probe, graced-top, graced-exporter, systemd | supervisor | runit | s6")
set(CPACK_DEBIAN_GRACED_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/conffiles ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/prerm
  ${CMAKE_CURRENT_LIST_DIR}/postrm)
set(CPACK_COMPONENT_GRACED_DESCRIPTION "zero-downtime reloads for any server, under one PID
graced stands between a service manager and a server. It binds the
addresses, or adopts those that the server binds, starts the server and
stays; a reload starts the next generation beside the running one, waits
until that is ready, and only then lets the old one finish. If the new one
does not get ready, nothing has changed, and whoever asked is told why.

It is for services that systemd, supervisord, runit, s6, a script or a
container keeps.")

set(CPACK_DEBIAN_PROBE_PACKAGE_NAME graced-probe)
set(CPACK_DEBIAN_PROBE_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PROBE_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROBE_PACKAGE_ENHANCES graced)
set(CPACK_COMPONENT_PROBE_DESCRIPTION "looks at servers for graced, over HTTP or by connecting
What graced starts for its option --probe: it asks a server that is about to
serve for a URL, or connects to it, and tells what it saw. Nobody has to start
it. It is a package of its own, because graced itself needs neither HTTP nor
TLS.")

set(CPACK_DEBIAN_TOP_PACKAGE_NAME graced-top)
set(CPACK_DEBIAN_TOP_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_TOP_PACKAGE_SHLIBDEPS ON)
# Loaded when it is needed, as by graced itself.
set(CPACK_DEBIAN_TOP_PACKAGE_DEPENDS "libsystemd0 (>= 248)")
set(CPACK_DEBIAN_TOP_PACKAGE_ENHANCES graced)
set(CPACK_COMPONENT_TOP_DESCRIPTION "shows all instances of graced on a terminal
What \"graced top\" runs: all instances of this machine with their phase,
connections, accept queues, processor time, memory and what came last, again
each second, and one of them opened. It is a package of its own, because
graced itself draws nothing.")

set(CPACK_DEBIAN_EXPORTER_PACKAGE_NAME graced-exporter)
set(CPACK_DEBIAN_EXPORTER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_EXPORTER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_EXPORTER_PACKAGE_DEPENDS "libsystemd0 (>= 248)")
set(CPACK_DEBIAN_EXPORTER_PACKAGE_ENHANCES graced)
set(CPACK_DEBIAN_EXPORTER_PACKAGE_SUGGESTS prometheus)
set(CPACK_DEBIAN_EXPORTER_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/exporter/postinst ${CMAKE_CURRENT_LIST_DIR}/exporter/prerm ${CMAKE_CURRENT_LIST_DIR}/exporter/postrm)
set(CPACK_COMPONENT_EXPORTER_DESCRIPTION "metrics of all instances of graced, for Prometheus
One process a machine that looks at all instances of graced and serves what
it sees over HTTP: metrics, state as JSON, and events as they happen. It runs
as a user of its own and changes nothing.

Alert rules and a dashboard for Grafana come with it.")

set(CPACK_DEBIAN_SDK_PACKAGE_NAME libgraced-child-dev)
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_SDK_PACKAGE_DEPENDS "libgraced-child0 (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_SDK_PACKAGE_SUGGESTS "graced, cmake | pkg-config")
set(CPACK_COMPONENT_SDK_DESCRIPTION "library for workers of graced, in C and C++
What a server links that is reloaded by graced, or is started by systemd's
socket activation: inherited sockets by name, readiness, and graceful
draining of what is in flight.

The library is a static one; it comes with headers for C and C++, a package
for CMake and one for pkg-config.")

set(CPACK_DEBIAN_SHARED_PACKAGE_NAME libgraced-child0)
set(CPACK_DEBIAN_SHARED_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_SHARED_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_SHARED_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/shared/shlibs ${CMAKE_CURRENT_LIST_DIR}/shared/triggers)
set(CPACK_COMPONENT_SHARED_DESCRIPTION "library for workers of graced, for other languages
What a server calls that is reloaded by graced, or is started by systemd's
socket activation, and is written in a language that can call C: Python,
Ruby, Node.js, Java. Inherited sockets by name, readiness, and graceful
draining of what is in flight.

Programs in C and C++ are built with libgraced-child-dev.")

# What every package of Debian has, dated as the sources are.
string(TIMESTAMP GRACED_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${PROJECT_BINARY_DIR}/debian/changelog.Debian @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_BINARY_DIR}/debian/changelog COPYONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/copyright ${PROJECT_BINARY_DIR}/debian/copyright COPYONLY)
foreach(package IN ITEMS graced probe top exporter sdk shared)
  string(TOUPPER ${package} component)
  install(FILES ${PROJECT_BINARY_DIR}/debian/changelog.Debian ${PROJECT_BINARY_DIR}/debian/changelog
    ${PROJECT_BINARY_DIR}/debian/copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${component}_PACKAGE_NAME} COMPONENT ${package})
endforeach()
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish.cmake)

include(CPack)
