#!/usr/bin/env bash
# Chromium for tests/browser, where that needs no question: as root on a system with apt. Elsewhere,
# or when it cannot be fetched, nothing happens and those tests are skipped.
set -euo pipefail

for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome google-chrome-stable chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "no Chromium here: the browser tests will be skipped" >&2
    exit 0
fi
echo "==> installing Chromium for the browser tests" >&2
{ apt-get update && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; } \
    >/dev/null 2>&1 || echo "Chromium could not be installed: the browser tests will be skipped" >&2
