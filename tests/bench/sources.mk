# What a deployment costs: `make bench`, or `make bench BENCH_SITES="100 1000"`. Not a test.
EXTRA_PROGRAMS += tests/bench/certificates tests/bench/floor tests/bench/measure
tests_bench_certificates_SOURCES = tests/bench/certificates.c
tests_bench_certificates_LDADD = $(OPENSSL_LIBS)
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_LDADD =
tests_bench_measure_SOURCES = tests/bench/measure.c
tests_bench_measure_LDADD =
EXTRA_DIST += tests/bench/bench tests/bench/instructions tests/bench/instructions.tsv tests/bench/plot.py \
	tests/bench/trees.py
CLEANFILES += tests/bench/certificates tests/bench/floor tests/bench/measure

BENCH_SITES = 100 1000 5000 10000
.PHONY: bench bench-instructions
bench: all tests/bench/certificates tests/bench/floor tests/bench/measure
	LD_LIBRARY_PATH=.libs $(srcdir)/tests/bench/bench examples/certdeploy/.libs/certdeploy tests/bench/floor \
		tests/bench/measure tests/bench/certificates $(BENCH_SITES)

# What a site costs in instructions, against the table that is kept of each release; KEEP=--write adds to it.
bench-instructions: all
	LD_LIBRARY_PATH=.libs $(srcdir)/tests/bench/instructions examples/certdeploy/.libs/certdeploy \
		$(srcdir)/tests/bench/instructions.tsv $(KEEP)
