#!/usr/bin/env bash
# Everything a change has to pass, one line a step, all steps even when one fails. `make quality`.
#
#   scripts/quality-gate.sh           all steps
#   scripts/quality-gate.sh NAME...   some of them, for example: ruff mypy
#
# Needs Python, git, make and a package index. Exit status: 0, 1 when a step failed, 2 for a name that
# is no step's, before any has run. A step that cannot run here says "skip" and why, and fails nothing.
#
#   SAAS_API_FORBIDDEN_TERMS_FILE  for the step "terms": see scripts/guardrails/forbidden_terms.py
#   SAAS_API_TEST_ADMIN_URL        for the step "tests": see tests/conftest.py
set -uo pipefail
cd "$(dirname "$0")/.." || exit
unset ARGS MAKEFLAGS # the steps' names, where make calls: not for the makes that steps call

COVERAGE=95 # per cent of the lines and of the branches of api/
SKIP=75     # a step's exit status for "cannot run here"
STEPS="setup shell locks ruff mypy sqlfluff squawk compose prometheus workflows pgrls terms layers secrets \
counts browser tests coverage mutants"

bin=.venv/bin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=

step_setup() {
    make --no-print-directory setup
}

step_shell() {
    local -a files
    mapfile -t files < <(git ls-files '*.sh' .ci/run)
    local file
    for file in "${files[@]}"; do
        bash -n "$file" || return
    done
    "$bin/shellcheck" "${files[@]}"
}

# What pyproject.toml asks for is locked; and resolving again, from what is locked, changes nothing.
step_locks() {
    "$bin/python" scripts/check_locks.py || return
    rm -rf "$scratch/requirements" && cp -R requirements "$scratch/requirements"
    if ! make --no-print-directory lock LOCKS="$scratch/requirements"; then
        echo "could not resolve again; what pyproject.toml asks for is locked"
        return $SKIP
    fi
    local lock
    for lock in requirements/*.txt; do
        diff -u "$lock" "$scratch/$lock" || {
            echo "$lock is not what pyproject.toml asks for: run make lock"
            return 1
        }
    done
}

step_ruff() {
    "$bin/ruff" check --quiet . && "$bin/ruff" format --check --quiet .
}

step_mypy() {
    "$bin/mypy"
}

step_sqlfluff() {
    "$bin/sqlfluff" lint --processes 2 --disable-progress-bar sql policies \
        api/policies templates/new_table/sql templates/new_table/policies
}

step_squawk() {
    "$bin/squawk" sql/migrations/*.sql
}

step_compose() {
    "$bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml
}

step_prometheus() {
    local found
    found=$(find_prometheus) || {
        echo "no promtool (Debian and Ubuntu: apt-get install prometheus)"
        return $SKIP
    }
    (
        cd observability/prometheus || exit
        "$found/promtool" check config --syntax-only prometheus.yml &&
            "$found/promtool" check rules rules/*.yml &&
            "$found/promtool" test rules tests/*.yml
    )
}

# The folder of promtool and prometheus: installed, or Debian's package unpacked into the cache.
find_prometheus() {
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/multi-tenant-saas-api/prometheus
    if command -v promtool >/dev/null; then
        dirname "$(command -v promtool)"
        return
    fi
    if [ ! -x "$cache/usr/bin/promtool" ]; then
        (
            command -v apt-get dpkg >/dev/null && cd "$scratch" || exit
            apt-get download prometheus ||
                { [ "$(id -u)" = 0 ] && apt-get update && apt-get download prometheus; } || exit
            mkdir -p "$cache" && dpkg -x prometheus_*.deb "$cache"
        ) >&2 || return
    fi
    echo "$cache/usr/bin"
}

step_workflows() {
    "$bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
}

# Another opinion on the policies: policies/pgrls.toml.
step_pgrls() {
    "$bin/python" scripts/pgrls.py
}

step_terms() {
    "$bin/python" scripts/guardrails/forbidden_terms.py
}

step_layers() {
    "$bin/python" scripts/guardrails/layers.py
}

step_secrets() {
    "$bin/python" scripts/guardrails/secrets.py
}

# Round trips, functions, buffers, plans and calls a request, which do not depend on the clock.
step_counts() {
    "$bin/python" -m bench.check
}

step_browser() {
    scripts/install-chromium.sh
}

# The README's own command; coverage counts servers, their workers and commands too.
step_tests() {
    local found
    if found=$(find_prometheus); then
        export PROMTOOL=${PROMTOOL:-$found/promtool} PROMETHEUS=${PROMETHEUS:-$found/prometheus}
    fi
    rm -f .coverage .coverage.*
    make --no-print-directory test ARGS="--cov --cov-report= --no-header --quiet"
}

step_coverage() {
    [ -f .coverage ] || { echo "no figures: run the step tests first" && return 1; }
    "$bin/coverage" report
    "$bin/coverage" json --quiet -o "$scratch/coverage.json" &&
        "$bin/python" - "$scratch/coverage.json" "$COVERAGE" <<'PYTHON'
import json
import sys

totals = json.load(open(sys.argv[1]))["totals"]
lines = 100 * totals["covered_lines"] / totals["num_statements"]
branches = 100 * totals["covered_branches"] / totals["num_branches"]
print(f"{lines:.1f} % of the lines and {branches:.1f} % of the branches of api/ are tested")
sys.exit(min(lines, branches) < float(sys.argv[2]))
PYTHON
}

# No rule of the database can be weakened without a test that fails.
step_mutants() {
    make --no-print-directory mutants
}

# run NAME: one line with its result and its seconds; what it said, if it failed.
run() {
    local name=$1 began=$EPOCHREALTIME status seconds verdict note=
    "step_$name" >"$scratch/$name" 2>&1
    status=$?
    seconds=$(((${EPOCHREALTIME/[^0-9]/} - ${began/[^0-9]/}) / 100000))
    case $status in
        0) verdict=ok ;;
        "$SKIP") verdict=skip ;;
        *) verdict=FAIL failed="$failed $name" ;;
    esac
    case $name:$verdict in
        *:skip | pgrls:ok | terms:ok | layers:ok | secrets:ok | counts:ok | browser:ok | tests:ok | coverage:ok | \
            mutants:ok)
            note="  $(tail -n 1 "$scratch/$name")"
            ;;
    esac
    printf '%-4s %5d.%d s  %s%s\n' "$verdict" $((seconds / 10)) $((seconds % 10)) "$name" "$note"
    if [ "$verdict" = FAIL ]; then
        sed 's/^/    /' "$scratch/$name"
    fi
}

if [ $# -eq 0 ]; then
    read -ra steps <<<"$STEPS"
    set -- "${steps[@]}"
fi
for name; do
    case " $STEPS " in
        *" $name "*) ;;
        *) echo "no step $name: one of $STEPS" >&2 && exit 2 ;;
    esac
done
for name; do
    run "$name"
done
if [ -n "$failed" ]; then
    echo "failed:$failed"
    exit 1
fi
echo "all passed in $SECONDS s"
