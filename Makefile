# A thin face over the scripts and the CMake presets; `make help` lists what there is.
# Nothing here asks a question, and everything is safe to repeat.
.DEFAULT_GOAL := help
SHELL := bash
MAKEFLAGS += --no-print-directory
.PHONY: help run build plugin test test-arm test-arm-programs test-backend-ops test-hosts test-python tools asan tsan debug fuzz bench quality suite models soak soak-slots install deb installable \
  format lint clean

LABEL ?= .
program := build/release/kvsplit
text := examples/texts/lighthouse.txt
long_text := examples/long-document/alice.txt
jobs := $(or $(KVSPLIT_JOBS),$(shell getconf _NPROCESSORS_ONLN))

help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## /  make \1\t/p' Makefile | expand -t 26
	@echo 'KVSPLIT_LLAMA_SOURCE=DIR takes a llama.cpp checkout instead of the pinned version.'

run: build ## build all, get the demo model and its plan, and compare cache precisions on it
	@$(program) pull
	@$(program) info --kvq auto >/dev/null 2>&1 || $(program) calibrate
	@$(program) compare -m "$$($(program) pull --path)" -f $(text)

build: ## build kvsplit and libggml-kvsplit.so, with llama.cpp if it is not there yet
	@scripts/setup build
	@scripts/llama-cpp libs
	@scripts/build release kvsplit ggml-kvsplit

plugin: ## build libggml-kvsplit.so alone: for KVSPLIT_LLAMA_SOURCE=DIR of another version (docs/hosts.md)
	@scripts/setup build
	@scripts/llama-cpp libs
	@scripts/build release ggml-kvsplit

tools: ## build llama.cpp's own programs: llama-cli, llama-server, llama-bench …
	@scripts/setup build
	@scripts/llama-cpp tools

test: ## build and run all tests; LABEL=unit those that take seconds, LABEL=plugin those of one room
	@scripts/setup build test
ifeq ($(LABEL),unit)
	@scripts/llama-cpp libs
	@scripts/build release unit_tests
else
	@scripts/llama-cpp tools
	@scripts/llama-cpp modules
	@scripts/build release
endif
	@ctest --preset release -L '$(LABEL)' -j $(jobs)

test-arm: ## the unit tests for arm64, cross-compiled and run in qemu (Debian and Ubuntu)
	@scripts/test-arm

test-arm-programs: ## stock llama.cpp programs with the plugin for arm64, in qemu and beside our own
	@scripts/setup build arm
	@scripts/llama-cpp tools
	@scripts/build release kvsplit ggml-kvsplit
	@scripts/test-arm programs

test-backend-ops: ## llama.cpp's own test of all operations, on the device KVSPLIT (half an hour or more)
	@scripts/setup build
	@scripts/llama-cpp backend-ops
	@scripts/build release ggml-kvsplit
	@scripts/test-backend-ops

test-hosts: ## the plugin in every llama.cpp that is known, each built once (~6 min a version, then 1)
	@scripts/test-hosts

test-python: ## the Python package in llama-cpp-python, built once of its source (~10 min, then 1)
	@scripts/test-python

# LABEL='unit|plugin' needs no more than these rooms' tests.
rooms = $(if $(filter .,$(LABEL)),,$(patsubst unit_test,unit_tests,$(patsubst %,%_test,$(subst |, ,$(LABEL)))))

asan tsan: ## the tests under the address and undefined-behaviour, or the thread sanitizer
	@scripts/setup build
	@scripts/llama-cpp libs
	@scripts/build $@ $(rooms)
	@ctest --preset $@ -L '$(LABEL)' -j $(jobs)

debug: ## build without optimisation, for a debugger
	@scripts/setup build
	@scripts/llama-cpp libs
	@scripts/build debug

fuzz: ## up to a million inputs each for what reads plans, sessions, results and precisions (~45 min)
	@scripts/fuzz

bench: ## the benchmarks of our own kernels and attention
	@scripts/setup build bench
	@scripts/llama-cpp libs
	@scripts/build bench
	@for program in build/bench/bench/*; do "$$program" || exit 1; done

PREFIX ?= /usr/local
install: $(if $(SUDO_USER),,installable) ## install into PREFIX=/usr/local; with PORTABLE=1 for other processors too
	@scripts/package install '$(PREFIX)'

deb: PORTABLE := 1
deb: installable ## a Debian package in build/release/packages, checked (Debian and Ubuntu)
	@scripts/setup packages
	@scripts/package deb

installable: build tools
	@$(if $(PORTABLE),scripts/llama-cpp portable)
	@scripts/build release kvsplit_manual

quality: ## what packed caches lose, on three models with weights in 32 bits (an hour)
	@scripts/setup build
	@scripts/llama-cpp libs
	@scripts/build release kvsplit ggml-kvsplit
	@bench/quality

suite: ## every cache at 128 … 8,192 tokens on the demo model: table, page and pictures (an hour; goes on if stopped)
	@scripts/setup build suite
	@scripts/llama-cpp libs
	@scripts/build release kvsplit ggml-kvsplit
	@$(program) pull
	@$(program) bench --suite -m "$$($(program) pull --path)" -f $(long_text) -o build/suite.json
	@$(program) report build/suite.json -o build/suite.html

models: ## docs/models.md: what is packed of each family of models, and what that costs (seconds)
	@scripts/setup build test
	@scripts/llama-cpp libs
	@scripts/build release families_test
	@KVSPLIT_MODELS_PAGE=docs/models.md build/release/families_test --gtest_brief=1 --gtest_filter=ModelsPage.IsWritten

soak: ## 64 clients for two minutes against llama-server with the plugin, several caches (~20 min)
	@scripts/setup build soak
	@scripts/llama-cpp tools
	@scripts/build release kvsplit ggml-kvsplit
	@$(program) pull
	@bench/soak.py

soak-slots: ## save and restore a slot of llama-server 10,000 times; its memory must not grow (minutes)
	@scripts/setup build
	@scripts/llama-cpp tools
	@scripts/build release kvsplit ggml-kvsplit programs_test
	@set -o pipefail; KVSPLIT_TEST_SLOT_ROUNDS=$(or $(ROUNDS),10000) ctest --preset release -V \
	  -R 'programs.SavedSlots|model.pull' | grep -E 'rounds:|tests (passed|failed)'

format: ## clang-format over our sources
	@scripts/setup lint
	@scripts/lint --fix

lint: ## check format and clang-tidy
	@scripts/setup build lint
	@scripts/llama-cpp libs
	@scripts/build release kvsplit ggml-kvsplit
	@scripts/lint

clean: ## remove build/ (llama.cpp's build stays in the user's cache folder)
	@rm -rf build
