/**
 * What happens inside of the namespaces of `mdevfs run`, as two scripts for a POSIX shell. Only a process inside can
 * mount there, and a process with threads, such as this program, can enter no user namespace.
 *
 * The outer script is process 1 of a PID namespace, so everything ends with it. It starts the daemon, which takes a
 * while to get ready, makes a /run of its own, a fresh /sys, and the mount of the model meanwhile. The inner script has a copy of all those mounts. It
 * puts the model into /sys when the daemon serves, and runs the command. So the daemon's /sys is the machine's own, and
 * it never meets its own mount.
 *
 * Both talk with the program that started them, on descriptor 3:
 *
 * | line | from | means |
 * |---|---|---|
 * | `fault TEXT` | both | it cannot be done |
 * | `server N` | outer | the daemon is process N of the namespace |
 * | `daemon CODE` | outer | the daemon ended |
 * | `mounted` | outer | the daemon can serve |
 * | `pid N` | inner | the command is about to run as process N of the namespace |
 * | `kill SIGNAL N` | the program | sends a signal |
 *
 * The daemon's standard input is descriptor 5: the program passes `mounted` on to it.
 *
 * What is mounted while the command runs is told by the daemon, see compose-live.ts.
 *
 * When the program is gone, however it ended, descriptor 3 ends too, and the inner script kills everything.
 * @module
 */

import { shownInDev } from './compose-live.js';
import { quoted } from './compose-skeleton.js';
import { MOUNT_SOURCE, mountOptions } from './mount.js';

/** Where things are in the namespaces. */
export const places = {
  /** The mount of the model, whole. */
  model: '/run/mdevfs/sys',
  /** The mount of its devices. */
  dev: '/run/mdevfs/dev',
  /** The machine's own sysfs, while /sys is put together. */
  real: '/run/mdevfs/real',
  /** The plan of /sys, written by the daemon. */
  inner: '/run/mdevfs/inner',
  plan: '/run/mdevfs/compose',
  table: '/run/mdevfs/table',
  bashrc: '/run/mdevfs/bashrc',
  /** The part of /sys in memory, where it can be changed while the command runs. */
  devices: '/run/mdevfs/devices',
  /** Is there when nodes of VFIO devices have placeholders. */
  placeholders: '/run/mdevfs/placeholders',
  /** Those placeholders, where the kernel lets them be made: elsewhere everybody may open one. */
  nodes: '/run/mdevfs/nodes',
  /** What is to be changed in it, and that it is, as FIFOs. */
  request: '/run/mdevfs/request',
  answer: '/run/mdevfs/answer',
  /** FIFO that is open for writing as long as the daemon lives, see aborter.ts. */
  lifeline: '/run/mdevfs/lifeline',
} as const;

/** Numbers of the descriptors of /dev/fuse that the daemon inherits: of the model's sysfs, and of its devices. */
export const FUSE_FD = 9;
export const DEVICE_FUSE_FD = 8;
/** Number of the socket that the daemon inherits, with a seccomp listener in it, if there is one. */
export const LISTENER_FD = 6;

const tell = `
fault() { echo "fault $*" >&3; exit 1; }
try() { said=$("$@" 2>&1) || fault "$said"; }
`;

/** Reads the outer script from descriptor 4. As an argument it would fill the list of processes. */
export const bootScript = 'script=$(cat <&4); exec 4>&-; eval "$script"';

/**
 * The outer script. Its parameters: how many words the daemon's command has, those words, and the command's.
 * @param run puts a new /run together at /sys, and @param dev a new /dev, see compose-own.ts
 * @param sysMounts what is mounted below /sys, as paths below that
 * @param freshSys whether the network namespace is new, and wants a sysfs that shows its devices
 */
export function outerScript(
  run: string,
  dev: string,
  sysMounts: readonly string[],
  freshSys: boolean,
): string {
  const submounts = sysMounts.map(
    (path) => `mount -n --rbind ${quoted(places.real + path)} ${quoted(`/sys${path}`)}`,
  );
  const fresh = `
if said=$(mount -n --rbind /sys ${places.real} 2>&1 && mount -n -t sysfs sysfs /sys 2>&1); then
  :
${submounts.join('\n')}
fi
umount -n -l ${places.real}
`;
  return `${tell}
words=$1
shift
exec ${FUSE_FD}<>/dev/fuse ${DEVICE_FUSE_FD}<>/dev/fuse
(
  count=$words
  for word do
    shift
    [ "$count" -gt 0 ] && set -- "$@" "$word"
    count=$((count - 1))
  done
  "$@" <&5 >&2 3>&- 5>&- &
  daemon=$!
  exec 5>&- ${LISTENER_FD}>&- ${FUSE_FD}>&- ${DEVICE_FUSE_FD}>&-
  echo "server $daemon" >&3
  wait $daemon
  echo "daemon $?" >&3
) &
exec 5>&- ${LISTENER_FD}>&-
shift "$words"
mount -n -t proc proc /proc 2>/dev/null
try mount -n -t tmpfs -o mode=755 mdevfs /sys
(
${run})
try mount -n --move /sys /run
mkdir -p ${places.model} ${places.dev} ${places.real} ${places.devices}
try mount -n -t tmpfs -o mode=755 mdevfs /sys
(
${dev})
try mount -n --move /sys /dev
mkfifo -m 600 ${places.request} ${places.answer} ${places.lifeline}
${freshSys ? fresh : ''}
cat > ${places.inner} <<'INNER'
${innerScript}INNER
try mount -n -i -t fuse -o ${mountOptions(FUSE_FD)} ${MOUNT_SOURCE} ${places.model}
try mount -n -i -t fuse -o ${mountOptions(DEVICE_FUSE_FD)} ${MOUNT_SOURCE} ${places.dev}
exec ${FUSE_FD}>&- ${DEVICE_FUSE_FD}>&-
echo mounted >&3
trap : INT QUIT
unshare -m --propagation private sh ${places.inner} "$@"
code=$?
# The end of a daemon that does not serve is still to be told.
[ -e ${places.model}/kernel ] || wait
exit $code
`;
}

const innerScript = `${tell}
trap : INT QUIT HUP TERM USR1 USR2
try mount -n --rbind /sys ${places.real}
ip link set lo up 2>/dev/null
[ -e ${places.model}/kernel ] || exit 1
said=$(. ${places.plan} 2>&1) || fault "$said"
umount -n -l ${places.real}
show() {
  if [ -d "${places.dev}/$1" ]; then
    umount -n -l "/dev/$1" 2>/dev/null
    mkdir -p "/dev/$1" && mount -n --bind "${places.dev}/$1" "/dev/$1"
  elif [ -e "${places.dev}/$1" ]; then
    ln -sf "${places.dev}/$1" "/dev/$1"
  fi
}
for name in ${shownInDev.join(' ')}; do
  show $name
done
cover() {
  node="${places.nodes}/\${1##*/}"
  mkdir -p ${places.nodes}
  rm -f "$node"
  mknod -m 600 "$node" c 1 3 2>/dev/null || node=/dev/null
  mount -n --bind "$node" "/dev/$1"
}
for node in /dev/vfio/devices/*; do
  [ -e ${places.placeholders} ] && [ -e "$node" ] && cover "\${node#/dev/}"
done
(
  trap '' INT QUIT HUP TERM USR1 USR2
  while read -r what signal pid; do
    [ "$what" = kill ] && kill -s "$signal" "$pid" 2>/dev/null
  done <&3
  kill -s KILL -- -1
) &
(
  trap '' INT QUIT HUP TERM USR1 USR2
  exec 3>&- <${places.request} >${places.answer}
  while read -r what path; do
    there="${places.devices}\${path#/devices}"
    case $what in
      placed) mkdir -p "$there" && mount -n --rbind "${places.model}$path" "/sys$path" ;;
      dev) show "$path" ;;
      null) cover "$path" ;;
      gone) umount -n -l "/sys$path" && rmdir "$there" ;;
    esac
    echo
  done
) 2>/dev/null &
cd "$PWD" 2>/dev/null
export SYSTEMD_DEVICE_VERIFY_SYSFS=0
sh -c 'echo "pid $$" >&3; exec 3>&-; exec "$@"' sh "$@"
exit $?
`;
