# What the scripts that install and build share; they source it, from the repository's root.

# give_up LINE...: why a script ends, in its own name.
give_up() {
  printf '%s: %s\n' "${SCRIPT:-$0}" "$*" >&2
  exit 1
}

# build_folder FOLDER: makes it, or says why it cannot be.
build_folder() {
  local said
  said=$(mkdir -p "$1" 2>&1 && touch "$1/.writable" 2>&1 && rm -f "$1/.writable" 2>&1) ||
    give_up "cannot write into $PWD/$1: ${said##*: }"
}

# Whether there is a virtual environment that works: not one that was cut off when it was made, or
# whose Python went with an older Debian.
venv_works() { "$1/bin/python" -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' >/dev/null 2>&1; }

# python_packages VENV ARGUMENT...: pip's arguments, for a virtual environment that is made where
# there is none that works.
python_packages() {
  local venv=$1 log=build/pip-${1//\//-}.log
  shift
  if ! venv_works "$venv"; then
    # Debian's own python: another one on the PATH may be of any age.
    /usr/bin/python3 -m venv --clear "$venv" >$log 2>&1 || python_failed $log "making $venv"
  fi
  # A registry may be slow, or away for a moment; what was downloaded is kept in pip's cache.
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --retries 5 --timeout 60 "$@" >$log 2>&1 ||
    python_failed $log "installing Python packages into $venv"
}

python_failed() {
  give_up "$2 failed: $(reason_in "$1" '^ERROR: '); the whole log is in $1, and the next run goes on from here"
}

# reason_in LOG PATTERN: the line of a log that says why, on one line of our own.
reason_in() {
  local line
  line=$(grep -o -m 1 'No space left on device' "$1" || grep -m 1 -E 'Temporary failure|Could not resolve|Connection (refused|timed out)|Network is unreachable' "$1" ||
    grep -E "$2" "$1" | tail -n 1 || true)
  [ -n "$line" ] || line=$(tail -n 1 "$1")
  echo "${line:0:300}"
}

# mirror PATH: the first URL of this machine's own package sources that ends so, else Debian's.
mirror() {
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | grep -v '^ *#' |
    grep -oE "https?://[^ ]+/$1/?( |\$)" | head -n 1 | tr -d ' ') || true
  echo "${found:-http://deb.debian.org/$1}"
}

# hardening NAME: what Debian builds its own packages with, for CFLAGS, CXXFLAGS or LDFLAGS: position
# independent, all symbols bound before main, checked string functions, protected stacks. The
# optimisation is the build type's.
hardening() {
  local get=(env DEB_BUILD_MAINT_OPTIONS=hardening=+all "DEB_CFLAGS_MAINT_STRIP=-g -O2" "DEB_CXXFLAGS_MAINT_STRIP=-g -O2" dpkg-buildflags --get)
  if [ "$1" = LDFLAGS ]; then "${get[@]}" LDFLAGS; else echo "$("${get[@]}" "$1") $("${get[@]}" CPPFLAGS)"; fi
}

# Sets COMMIT to the commit that these sources are, empty where nobody knows it, and exports SOURCE_DATE_EPOCH:
# its time, where no other is set. A checkout asks git; an archive that git made has both in deploy/commit.
identify_commit() {
  local told="" time=""
  if [ -e .git ]; then
    told=$(git log -1 --format='%H %ct' 2>/dev/null) || true
  else
    told=$(grep -sxE '[0-9a-f]{40,64} [0-9]+' deploy/commit) || true
  fi
  read -r COMMIT time <<<"$told" || true
  export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-${time:-$(stat -c %Y CHANGELOG.md)}}
}

# root_as_mount SCRIPT ARGUMENT...: runs the script again where / is a mount, if it is none: in a root that was
# entered by chroot alone. buildah and podman stop there, as they change how mounts below / propagate.
root_as_mount() {
  ! mountpoint -q / || return 0
  # On a folder of /proc, which can be taken from other namespaces' view; mounts below / cannot, in such a root.
  # shellcheck disable=SC2016 # there
  exec unshare --mount --propagation unchanged bash -c 'set -e
    mount --make-private /proc
    mount --rbind / /proc/fs
    mount --make-rprivate /proc/fs
    exec chroot /proc/fs env -C "$PWD" "$@"' root_as_mount "$@"
}
