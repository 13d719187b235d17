# make causality [ONLY="nginx c_thread"] [LEVELS="1 8 64 256 1024"] [REQUESTS=2000] [STRESS=0]: the accuracy rig, all of it.
# JSON=tests/causality/results.json keeps the rows; make causality-table then writes RESULTS.md and the README's table.
.PHONY: causality causality-table
causality: all
	@BUILD=$(BUILD) $(if $(JSON),JSON=$(CURDIR)/$(JSON)) bash tests/causality/run.sh $(ONLY)
causality-table:
	@tests/causality/table.py --update
