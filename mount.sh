#!/bin/sh
# Shows a machine with mediated devices as a live sysfs. Installs and builds first, as far as that is needed.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
main=$here/dist/bin/mdevfs/main.js

# Neither a record nor a place of mdevfs run is called tree.
default=/run/mdevfs/tree
[ "$(id -u)" = 0 ] || [ -z "${XDG_RUNTIME_DIR:-}" ] || default=$XDG_RUNTIME_DIR/mdevfs/tree

usage() {
  cat <<END
usage: $0 [-f FIXTURE] [-u] [-h] [DIR]

Shows a machine with mediated devices as a live sysfs at DIR (made if it is not there) and returns when the tree
answers. A second run finds it mounted, says so, and succeeds. What a killed daemon left at DIR is cleared first.

  DIR         a directory that only root, or who called sudo, can replace (default: $default)

  -f FIXTURE  the machine: a name from $here/fixtures or a JSON file (default: default)
  -u          unmount DIR instead
  -h          this help

Exit codes: 0 done; 1 could not, with one line that says why; 2 wrong use, or a malformed fixture.
END
}

fail() {
  echo "mount.sh: $1" >&2
  exit "${2:-1}"
}

fixture=
unmount=
while getopts f:uh option; do
  case $option in
    f) fixture=$OPTARG ;;
    u) unmount=yes ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -le 1 ] || fail "one DIR at most; $0 -h shows the usage" 2
dir=${1:-$default}
[ -n "$dir" ] || fail "DIR is empty; $0 -h shows the usage" 2

[ "$(id -u)" = 0 ] || fail "mounting needs root; run: sudo $0 $dir"
version=$(node --version 2>/dev/null) || fail "node is not in PATH; install Node.js 20 or later (under sudo: sudo env PATH=\"\$PATH\" $0)"
major=${version#v}
major=${major%%.*}
[ "$major" -ge 20 ] 2>/dev/null || fail "node is $version; install Node.js 20 or later"

is_built() {
  [ -f "$main" ] || return 1
  [ -d "$here/src" ] || return 0
  [ -z "$(find "$here/src" "$here/tsconfig.json" "$here/package.json" -newer "$main" | head -n 1)" ]
}

# Unmounting needs no newer build than mounting did.
[ -z "$unmount" ] || [ ! -f "$main" ] || exec node "$main" umount -- "$dir"

need_npm() {
  command -v npm >/dev/null || fail "npm is not in PATH; install it"
}

# npm writes this file last.
if [ ! -f "$here/node_modules/.package-lock.json" ] && [ -f "$here/package-lock.json" ]; then
  need_npm
  echo "installing packages ..." >&2
  log=$(mktemp)
  if ! (cd "$here" && npm ci --include=dev --no-audit --no-fund) >"$log" 2>&1; then
    fail "npm ci failed in $here; its output is in $log"
  fi
  rm -f "$log"
fi

if ! is_built; then
  need_npm
  echo "building ..." >&2
  (cd "$here" && npm run --silent bundle >&2) || fail "the build failed; see above"
fi

[ -z "$unmount" ] || exec node "$main" umount -- "$dir"
[ -e /dev/fuse ] || modprobe fuse 2>/dev/null || :
if [ -n "$fixture" ]; then
  node "$main" mount -f "$fixture" -- "$dir"
else
  node "$main" mount -- "$dir"
fi

dir=$(cd -- "$dir" && pwd -P)
uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
types=$dir/class/mdev_bus
for create in "$types"/mtty/mdev_supported_types/mtty-1/create "$types"/*/mdev_supported_types/*/create; do
  [ -e "$create" ] || continue
  cat <<END
Try:
  cd ${create%/create}
  cat available_instances
  echo $uuid > create
  ls -l devices $dir/bus/mdev/devices
  echo 1 > $dir/bus/mdev/devices/$uuid/remove
and at the end:
  cd /; $here/mount.sh -u $dir
END
  break
done
