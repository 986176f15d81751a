# What a deployment costs: `make bench`, or `make bench BENCH_SITES="100 1000"`. Not a test.
EXTRA_PROGRAMS += tests/bench/floor tests/bench/measure
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_LDADD =
tests_bench_measure_SOURCES = tests/bench/measure.c
tests_bench_measure_LDADD =
EXTRA_DIST += tests/bench/bench tests/bench/trees.py
CLEANFILES += tests/bench/floor tests/bench/measure

BENCH_SITES = 100 1000 5000 10000
.PHONY: bench
bench: all tests/bench/floor tests/bench/measure
	LD_LIBRARY_PATH=.libs $(srcdir)/tests/bench/bench examples/certdeploy/.libs/certdeploy tests/bench/floor \
		tests/bench/measure $(BENCH_SITES)
