#!/bin/sh
# Makes an environment hold exactly what the locks name. It refuses a file whose hash the lock does not know, a build that would
# download its own tools, and an interpreter Leadgate was not tested on. Called by the Makefile, from the root of the checkout:
#
#   install.sh tools VENV [PYTHON]   the environment, with pip, setuptools and uv from bootstrap.lock
#   install.sh product VENV          everything Leadgate and its tests import, and Leadgate itself, editable
#   install.sh peers VENV BENCH_VENV what the benchmarks compare with, in an environment of its own
#   install.sh lock VENV [OPTION...] the locks themselves, from pyproject.toml; --upgrade takes newer versions
set -eu
umask 022
step=$1
venv=$2

say() { printf 'install: %s\n' "$*" >&2; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

choose_python() {
    for candidate in "$@"; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    say "no Python 3.11, 3.12 or 3.13 under the name: $*"
    say "name one: make PYTHON=/path/to/python3.11"
    exit 1
}

version() { "$1" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null || echo none; }

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input --no-cache-dir "$@"; }

# uv does not read pip's configuration, so what decides where packages come from is handed on: the value of one option.
from_pip() {
    pip config list 2>/dev/null | sed -nE "s/^(global|install)\.$1='(.*)'\$/\2/p" | sed 's/\\n/ /g' | tail -n 1
}

# A folder of wheels instead of an index is a case for pip alone.
fits_uv() { [ -z "${PIP_NO_INDEX:-$(from_pip no-index)}" ]; }

uv() {
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-${PIP_DEFAULT_TIMEOUT:-120}}"
    index=${PIP_INDEX_URL:-$(from_pip index-url)}
    certificates=${PIP_CERT:-$(from_pip cert)}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
    if [ -n "$certificates" ]; then export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"; fi
    "$venv/bin/uv" --quiet --no-python-downloads pip "$@"
}

# The environment of the interpreter $1 gets exactly what the locks after it name.
sync() {
    python=$1
    shift
    # Any further index may serve a file too: the hash in the lock says whether it is the one we mean.
    more=${PIP_EXTRA_INDEX_URL:-$(from_pip extra-index-url)}
    if [ -n "$more" ]; then export UV_INDEX="${UV_INDEX:-$more}"; fi
    uv sync --python "$python" --require-hashes --index-strategy unsafe-best-match "$@"
}

# One file for Python 3.11 to 3.13 on every platform; it names hashes and no address. Versions it has already are kept.
# Only the main index is asked: an extra one may hold some files of a release and not the others.
lock() {
    uv compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate "$@" >/dev/null
}

case $step in
tools)
    # shellcheck disable=SC2086 # no name given: three to try
    python=$(choose_python ${3:-python3 python3.13 python3.12 python3.11})
    if [ "$(version "$python")" != "$(version "$venv/bin/python")" ]; then
        say "making $venv with $("$python" --version)"
        if ! "$python" -m venv --clear "$venv"; then
            rm -rf "$venv"
            say "this Python cannot make environments; on Debian: apt-get install python3-venv"
            exit 1
        fi
    fi
    rm -f "$venv/.ready"
    pip --quiet install --require-hashes --no-deps --requirement requirements/bootstrap.lock
    ;;
product)
    say "installing what requirements/leadgate.lock names"
    if ! fits_uv || ! sync "$venv/bin/python" requirements/bootstrap.lock requirements/leadgate.lock; then
        say "without uv: pip does it, which takes longer"
        pip --quiet install --require-hashes --no-deps --requirement requirements/leadgate.lock
    fi
    # setuptools stands in the environment already: nothing is downloaded to build ourselves.
    pip --quiet install --no-deps --no-build-isolation --no-index --editable . 2>"$venv/editable.log" || {
        cat "$venv/editable.log" >&2
        exit 1
    }
    ;;
peers)
    bench=$3
    say "installing what requirements/bench.lock names"
    if [ "$(version "$venv/bin/python")" != "$(version "$bench/bin/python")" ]; then
        "$venv/bin/python" -m venv --clear --without-pip "$bench"
    fi
    sync "$bench/bin/python" requirements/bench.lock
    ;;
lock)
    shift 2
    lock "$@" --group bootstrap --output-file requirements/bootstrap.lock
    lock "$@" pyproject.toml --all-extras --output-file requirements/leadgate.lock
    lock "$@" --group bench --constraints requirements/bootstrap.lock --output-file requirements/bench.lock
    ;;
esac
