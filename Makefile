# Short names for the things one does here; `make help` lists them. The build itself is CMake's.

JOBS ?= 2
PREFIX ?= /usr/local
BUILD = build/release
# Scripts about headers and packages do not change with a sanitizer.
SANITIZED_TESTS = --label-exclude 'packaging|headers|tools'
# Plugins that crash on purpose are met by the sanitizer's own handlers instead of the signal.
CRASHING_TESTS = cli.plugin
# graphviz and its font libraries know nothing of ThreadSanitizer; those that draw run in all others.
DRAWING_TESTS = unit.dag.picture|examples.dag.visualise

.DEFAULT_GOAL := help
.PHONY: help run test check asan tsan clang fmt lint fmt-check tidy cppcheck layers sizes cover \
	mutants bench install clean distclean build

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## build, and run a workflow that compresses and checks a folder of files
	@tools/bootstrap.sh build
	@tools/build.sh release queuack
	@examples/make-run/run.sh $(BUILD)/queuack

build: ## build library, program, tests and benchmarks
	@tools/bootstrap.sh build
	@tools/build.sh release all

test: build ## build and run the test suite
	@ctest --preset release -j $(JOBS)

check: ## all that continuous integration checks
	@.ci/run

asan: ## the suite under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/bootstrap.sh build
	@tools/build.sh asan all
	@ctest --preset asan -j $(JOBS) $(SANITIZED_TESTS) --exclude-regex '$(CRASHING_TESTS)'

tsan: ## the suite under ThreadSanitizer
	@tools/bootstrap.sh build
	@tools/build.sh tsan all
	@tools/no-aslr.sh ctest --preset tsan -j $(JOBS) $(SANITIZED_TESTS) \
		--exclude-regex '$(CRASHING_TESTS)|$(DRAWING_TESTS)'

clang: ## build with clang, run the unit tests
	@tools/bootstrap.sh build clang
	@tools/build.sh clang all
	@ctest --preset clang -j $(JOBS) --label-regex unit

fmt: ## format the sources
	@tools/bootstrap.sh lint
	@tools/sources.sh | xargs clang-format -i

lint: fmt-check layers sizes tidy cppcheck ## format, layers, sizes, clang-tidy, cppcheck

fmt-check:
	@tools/bootstrap.sh lint
	@tools/sources.sh | xargs clang-format --dry-run -Werror

layers:
	@tools/check_layers.py

sizes:
	@tools/check_sizes.py

tidy:
	@tools/bootstrap.sh build lint
	@tools/build.sh release configure
	@tools/tidy.sh $(BUILD) $(JOBS)

cppcheck:
	@tools/bootstrap.sh build lint
	@tools/build.sh release configure
	@tools/cppcheck.sh $(BUILD) $(JOBS)

mutants: ## does the simulation notice deliberate faults of the engine? SEEDS=2000
	@tools/bootstrap.sh build
	@tools/run-mutants.sh $(SEEDS)

cover: ## line coverage of the suite, as a table
	@tools/bootstrap.sh build cover
	@tools/build.sh cover all
	@find build/cover -name '*.gcda' -delete
	@ctest --preset cover -j $(JOBS) $(SANITIZED_TESTS)
	@gcovr --root . --filter src/ --print-summary build/cover

bench: build ## measure; ARGS=--quick takes under 30 s
	@$(BUILD)/bench/queuack-bench $(ARGS)

install: build ## install to PREFIX (/usr/local); DESTDIR is respected
	@cmake --install $(BUILD) --prefix "$(PREFIX)"

clean: ## remove what was built
	@rm -rf build

distclean: clean ## the same, and the fetched DuckDB
	@rm -rf .deps
