# What the examples' `run` scripts share; sourced by them, with `language` set.
#
# Everything that is made lies in $made, and nothing of it is in the repository.

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
made=$root/build/examples/$language

# leave_out WHAT IS NEEDED: for who runs all examples; the exit code is that of sysexits' EX_UNAVAILABLE.
leave_out() {
  echo "$language: left out: needs $*" >&2
  exit 69
}

# at_least VERSION LEAST: whether it is that or a later one.
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -C -V; }

needs_protoc() {
  command -v protoc >/dev/null || leave_out "protoc (Debian's package protobuf-compiler, or a release of protobuf's)"
}

# The .proto files into $made/proto. Sets `stale` to yes if these, or files of ours named as arguments,
# are not those of the last build; `built` ends a build. One at a time, up to `unlock`.
export_protos() {
  mkdir -p "$made"
  exec 9>"$made/lock"
  flock 9
  rm -rf "$made/proto"
  "$root/proto/export" "$made/proto" >/dev/null 2>&1
  state=$(cd "$here" && find "$made/proto" "$@" -type f -exec sha256sum {} + | sort | sha256sum)
  stale=yes
  [ "$state" != "$(cat "$made/state" 2>/dev/null)" ] || stale=no
}
built() { echo "$state" >"$made/state"; }
unlock() { exec 9>&-; }
