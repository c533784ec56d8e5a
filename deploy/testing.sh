# What deploy/image/test and deploy/debian/test share; they source it, from the repository's root.
. deploy/common.sh

# In a network of its own, with loopback alone: the usual ports are free there, and what is
# tested cannot reach anything by accident.
# in_own_network SCRIPT ARGUMENT...
in_own_network() {
  unshare --net --pid --fork --kill-child --mount-proc bash -c \
    'set -euo pipefail; ip link set lo up; . deploy/testing.sh; . "$@"' inside "$@"
}

say() { echo "== $*"; }

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# expect TEXT COMMAND...: its output, which has TEXT in it; whatever its exit code is.
expect() {
  local text=$1 output
  shift
  output=$("$@" 2>&1) || true
  [[ $output == *"$text"* ]] || fail "no \`$text\` in what \`$*\` says: $output"
  echo "   ok: $text"
}

# refuse COMMAND...: it fails.
refuse() {
  if "$@" >/dev/null 2>&1; then fail "it should not work: $*"; fi
  echo "   ok: refused: $*"
}

# until_it SECONDS COMMAND...: tries it until it works.
until_it() {
  local give_up=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $give_up ] || fail "it did not come true: $*"
    sleep 0.2
  done
}

# end_to_end PROGRAM TEST...: these of tests/end_to_end pass with that pcap-gateway, and it skips none.
end_to_end() {
  local program=$1 said
  shift
  python_packages build/venv -r tests/requirements.txt
  said=$(mktemp)
  if ! (cd tests/end_to_end && PCAP_GATEWAY_BINARY=$program ../../build/venv/bin/python -m pytest -q -rs "${@/%/_test.py}") >"$said" 2>&1 ||
    grep -q skipped "$said"; then
    fail "$(tail -n 40 "$said")"
  fi
  echo "   ok: $(tail -n 1 "$said")"
  rm -f "$said"
}

# Sets url, and the demo's names: ACCOUNT_ID, SIMPLE_ID, TOKEN.
start_emulator() {
  local told
  told=$(mktemp)
  build/venv/bin/python tests/emulator/main.py >"$told" &
  until_it 60 test -s "$told"
  url=$(head -n 1 "$told")
  rm -f "$told"
  eval "$(build/venv/bin/python tests/emulator/main.py --print-demo)"
}
