# SPDX-License-Identifier: LGPL-2.1-or-later
# The transaction killed and failed at every system call. The linker puts the sweep's wrappers in place.
check_PROGRAMS += tests/faults/sweep
TESTS += tests/faults/sweep tests/faults/sweep-can-fail
EXTRA_DIST += tests/faults/sweep-can-fail tests/faults/test_powercut.py tests/faults/test_readonly.py \
	tests/faults/trace.py
CLEANFILES += sweep-can-fail.out
tests_faults_sweep_SOURCES = tests/faults/sweep.c tests/faults/meet.c tests/faults/meet.h \
	tests/faults/stand.c tests/faults/stand.h tests/faults/scene.c tests/faults/scene.h
tests_faults_sweep_LDADD = libcertdeploy-internal.la
faults_comma = ,
faults_wrapped = mkdirat symlinkat renameat unlinkat fchmod fchown fsetxattr fremovexattr fchownat futimens \
	utimensat fsync syncfs read pread readlinkat flistxattr fgetxattr fstat fstatat statx lseek close \
	malloc calloc realloc strdup strndup write openat __openat_2 open __open_2 fcntl syscall fdopendir readdir time clock_gettime \
	nanosleep cd_run
tests_faults_sweep_LDFLAGS = $(AM_LDFLAGS) $(faults_wrapped:%=-Wl$(faults_comma)--wrap=%)

# The same operations as commands, for harnesses that watch from outside.
check_PROGRAMS += tests/faults/subject
tests_faults_subject_SOURCES = tests/faults/subject.c tests/faults/scene.c tests/faults/scene.h
tests_faults_subject_LDADD = libcertdeploy-internal.la
