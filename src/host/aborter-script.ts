/**
 * What frees the clients of a daemon that was killed and cannot end (aborter.ts), as scripts for a POSIX shell.
 *
 * A script keeps no mount alive while it waits: it has no mount namespace of its own, no descriptor in a mount, and its
 * working directory is that of the daemon in /proc, which never becomes another process's.
 * @module
 */

import { quoted } from './compose-skeleton.js';

/** Reads the script from descriptor 3. As an argument it would fill the list of processes. */
export const bootScript = 'script=$(cat <&3); exec 3<&-; eval "$script"';

/** Nothing but the end of the daemon ends them: what a terminal or a service manager sends is for that one. */
const deaf = "trap '' HUP INT QUIT TERM USR1 USR2 PIPE";

/** Whether /proc numbers processes as the shell itself does. */
const ownProc = '{ read -r self rest </proc/self/stat; } 2>/dev/null && [ "$self" = $$ ]';

/** Sets `state` to the letter of a process whose directory of /proc this is; empty when it is gone. */
const readState = (dir: string): string =>
  `state=; { while read -r key value rest; do [ "$key" = State: ] && state=$value; done <${dir}/status; } 2>/dev/null`;

/**
 * Goes on when the process of the working directory is dead, and sets `stuck` when a thread of it is not. While it lives,
 * somebody has ended the lifeline first, and it is looked at now and then.
 */
const awaitEnd = `
looks=0
while :; do
  ${readState('.')}
  case $state in
    "" | Z | X) break ;;
  esac
  looks=$((looks + 1))
  [ $looks -lt 20 ] && sleep 0.1 || sleep 1
done
set -- task/*
stuck=
[ $# -gt 1 ] && stuck=yes
cd /
`;

/**
 * PDEATHSIG (prctl(2)) tells nothing of a parent that has died before; then it is not the parent, or its first thread is a
 * zombie.
 */
const unlessOrphan = `
${deaf}
[ "$PPID" = "$1" ] || exit
${ownProc} && {
  ${readState('/proc/$PPID')}
  case $state in Z | X) exit ;; esac
}
`;

/** The lifeline: copies lines until the thread that started it ends. Its parameter is the process of that. */
export const lifelineScript = `${unlessOrphan}
exec cat
`;

/** The lifeline of the server of a run, which has a FIFO open, its second parameter. Its output ends when that is so. */
export const runLifelineScript = `${unlessOrphan}
exec cat 7<>"$2" >/dev/null
`;

/** Does something with the directory `dir` of each mount of a connection. /proc/self/mountinfo has octal numbers in it. */
const eachMount = (command: string): string => `
table=$(cat /proc/self/mountinfo)
while read -r id parent device root dir rest; do
  for minor do
    case "$device $rest" in "0:$minor "*" - fuse.mdevfs "*) ;; *) continue ;; esac
    dir=$(printf %b "$(printf %s "$dir" | sed 's/\\\\\\([0-7]\\)/\\\\0\\1/g')")
    ${command}
  done
done <<TABLE
$table
TABLE
`;

/**
 * Aborts connections by way of their directory in fusectl. It is mounted where nobody else sees it, on /dev, which is there
 * since a connection is made by a file in it. Who may not mount it, as in a user namespace, has the mounts unmounted with
 * force, which aborts first; nobody else sees that they are gone.
 */
const abort = `
mount -n -t fusectl fusectl /dev && {
  for minor do echo 1 >"/dev/$minor/abort"; done
  exit
}
${eachMount('umount -n -i -f "$dir"')}
`;

/**
 * Has the kernel forget the names of a dead mount, which it would go on to give out: a remount changes nothing, and does that
 * first. The variable has libmount use mount(2), for which FUSE takes no option amiss.
 */
const forget = (dir: string): string => `LIBMOUNT_FORCE_MOUNT2=always mount -n -i -o remount ${dir}`;

/**
 * Does something with the mount at `dir`, where /proc is that of another PID namespace: mount(8) and umount(8) do nothing
 * without a table of mounts, and are given one.
 */
const withTable = (command: string): string => `
mount -n -t tmpfs mdevfs /proc && mkdir /proc/self &&
  echo "1 0 0:1 / $dir rw - fuse.mdevfs mdevfs rw" >/proc/self/mountinfo &&
  ${command}
`;

const privately = 'unshare --mount --propagation private --';

/**
 * The aborter of a process. Its first parameter is that process. It is told on standard input which connections there are:
 * \`+ MINOR\`, which it answers, and \`- MINOR\`.
 */
export const aborterScript = `
${ownProc} && cd "/proc/$1" || exit
${deaf}
connections=
while read -r what minor; do
  rest=
  for each in $connections; do [ "$each" = "$minor" ] || rest="$rest $each"; done
  connections=$rest
  [ "$what" = + ] && connections="$connections $minor" && echo
done
[ "$connections" ] || exit
${awaitEnd}
[ "$stuck" ] && script=${quoted(abort)} ${privately} sh -c 'eval "$script"' sh $connections
script=${quoted(eachMount(forget('"$dir"')))} exec ${privately} sh -c 'eval "$script"' sh $connections
`;

/**
 * The aborter of a run. It is outside of its PID namespace, so that it outlives that, too, and joins its mounts, to unmount
 * those of FUSE with force. It reads a line when the lifeline is there: a process of the run, and the number of the server as
 * that has it. That number means nothing where the run has no /proc of its own; there the end of the lifeline is that of the
 * server. Where no lifeline has come up, the server is looked at each second.
 * @param user whether the run has a user namespace
 * @param lifeline its FIFO
 * @param mounts of the run's FUSE connections
 */
export const runAborterScript = (user: boolean, lifeline: string, mounts: readonly string[]): string => `
${deaf}
read -r pid server || exit
export script=${quoted(`
exec 7<>${lifeline} 8<${lifeline} 7>&- || exit
while read -r line <&8; do :; done
stuck=yes
cd /proc/self || {
  cd "/proc/$1" || cd /dev
  ${awaitEnd}
}
cd /
for dir in ${mounts.join(' ')}; do
  export dir
  [ "$stuck" ] && ${privately} sh -c '${withTable('umount -n -i -f "$dir"')}'
  ${privately} sh -c '${withTable(forget('"$dir"'))}'
done
`)}
exec nsenter --target "$pid" --mount ${user ? '--user --preserve-credentials ' : ''}-- sh -c 'eval "$script"' mdevfs-aborter "$server" "$1"
`;
