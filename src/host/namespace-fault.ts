/**
 * Why namespaces cannot be had here, and the way out. unshare(1) and mount(8) only tell the errno; what the kernel was
 * told to refuse is in /proc.
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';

/** CAP_SYS_ADMIN of linux/capability.h, as a bit. */
const SYS_ADMIN = 1n << 21n;

/** Settings that take user namespaces away, with the value that does, and one that gives them back. */
const switches = [
  { name: 'user.max_user_namespaces', off: '0', on: '15000' },
  // Debian's kernel.
  { name: 'kernel.unprivileged_userns_clone', off: '0', on: '1' },
  // Ubuntu's kernel.
  { name: 'kernel.apparmor_restrict_unprivileged_userns', off: '1', on: '0' },
];

function setting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}

function effectiveCapabilities(): bigint {
  const status = readFileSync('/proc/self/status', 'latin1');
  return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
}

/**
 * @param fault what the failing program wrote
 * @param user whether a user namespace was asked for
 * @returns one line
 */
export function namespaceFault(fault: string, { user, net }: { user: boolean; net: boolean }): string {
  const said = fault.split('\n')[0]!;
  for (const [kind, wanted] of Object.entries({ user, net, mnt: true, pid: true }))
    if (wanted && !existsSync(`/proc/self/ns/${kind}`))
      return `${said}; this kernel has no ${kind} namespaces, boot one that has${kind === 'net' && !user ? ', or use --no-uevents' : ''}`;
  if (user) {
    const off = switches.find((each) => setting(each.name) === each.off);
    if (off)
      return `${said}; user namespaces are off: ${off.name} is ${off.off}; have root do sysctl -w ${off.name}=${off.on}, or use sudo`;
    return `${said}; a user namespace is refused here, as in a chroot or in a container; use sudo, or run the container with --privileged`;
  }
  if ((effectiveCapabilities() & SYS_ADMIN) === 0n)
    return `${said}; CAP_SYS_ADMIN is missing; run the container with --cap-add SYS_ADMIN, or use --user`;
  return `${said}; something refuses to mount here, such as a container's seccomp or AppArmor profile; run the container with --privileged`;
}
