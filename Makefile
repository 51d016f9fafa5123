# The contributor's whole interface. `make` alone says what there is.
.PHONY: help setup build demo test exports fuzz format lint docs clean

# Where Swift files lie; a folder that is not there is no mistake.
SWIFT = Package.swift Sources Tests $(wildcard Benchmarks Snippets)

help:
	@echo "make demo     set up, build, run the built-in study, say where its report lies"
	@echo "make test     set up, build, run the whole test suite"
	@echo "make exports  full-size networks exported and held against PyTorch (PYTHON=… with Oracles/requirements.txt)"
	@echo "make fuzz     every parser under libFuzzer for ten minutes"
	@echo "make setup    libraries, libtorch, sample models and images; a second time it fetches nothing"
	@echo "make build    the command in release mode: .build/release/parallax"
	@echo "make format   swift-format in place;  make lint: check style and habits"
	@echo "make docs     DocC pages of every library target"
	@echo "make clean    remove what was built (not the cache)"
	@echo "LIBTORCH=DIR make …   use the libtorch in DIR (include/ and lib/)"
	@echo "PARALLAX_CACHE=DIR make …   keep what is fetched in DIR, not in ~/.cache/parallax"

setup:
	@python3 Scripts/setup.py

build: setup
	@swift build -c release --product parallax

demo: build
	@.build/release/parallax study --output runs/demo
	@echo "report: $(CURDIR)/runs/demo/report.html"

test:
	@python3 Scripts/setup.py --tests
	@python3 -m unittest discover -q -s Tests -p '*_test.py'
	@swift test

# A Python that has what Oracles/requirements.txt names.
PYTHON ?= python3
exports: setup
	@swift build -c release --product ParallaxBenchmark
	@$(PYTHON) Oracles/exports_full.py

fuzz: setup
	@python3 Fuzz/run.py

format:
	@swift format -i -r $(SWIFT)

lint:
	@swift format lint --strict -r $(SWIFT)
	@python3 Scripts/habits.py

docs: setup
	@mkdir -p .build/docs
	@for target in ParallaxTensors ParallaxModels ParallaxMeasures ParallaxImages ParallaxAnalyses \
	  ParallaxResults ParallaxReport Parallax; do \
	  swift package --allow-writing-to-directory .build/docs generate-documentation \
	    --target $$target --output-path .build/docs/$$target || exit 1; done

clean:
	@rm -rf .build
