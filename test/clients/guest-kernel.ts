/**
 * The kernel that guests boot: Debian's, as packed for clouds, which has the drivers of emulated machines and is a third
 * the size of the usual one. The package is downloaded once for each version and not installed; what guests need of it
 * stays in the user's cache.
 *
 * It has the 16550 driver for PCI and hot plug of PCI Express built in, and as modules the drivers that programs in the
 * guest reach a device by: uio_pci_generic, and vfio-pci of the real kernel.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const LATEST = 'linux-image-cloud-amd64';
/** Longer than a download takes. */
const PATIENCE_MS = 300_000;

/** Files of the package that guests need, as tar(1) matches them: older packages have no /usr in front. */
const NEEDED = [
  './boot/vmlinuz-*',
  '*/kernel/drivers/uio/uio.ko*',
  '*/kernel/drivers/uio/uio_pci_generic.ko*',
  '*/kernel/drivers/vfio/*.ko*',
  '*/kernel/virt/lib/irqbypass.ko*',
];

export interface GuestKernel {
  /** What `uname -r` says. */
  release: string;
  /** A file that QEMU boots. */
  image: string;
  /** A directory with the modules and what modprobe(8) must know of them; it is /lib/modules/RELEASE in the guest. */
  modules: string;
}

const cache = () => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mdevfs', 'guest-kernels');

function output(command: string, args: string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    env: { ...process.env, LC_ALL: 'C' },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args[0]}: ${stderr.trim().split('\n').at(-1)}`);
  return stdout;
}

/** The package that the latest kernel is in, and its version. */
function latest(): { name: string; version: string } {
  const about = output('apt-cache', ['show', '--no-all-versions', LATEST]);
  const found = /^Depends: (linux-image-\S+) \(= ([^)]+)\)/m.exec(about);
  if (!found) throw new Error(`${LATEST} does not say which package the kernel is in`);
  return { name: found[1]!, version: found[2]! };
}

/** Gets a package and leaves in a directory what guests need of it. */
function unpack(name: string, version: string, dir: string): void {
  output('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', `${name}=${version}`], dir);
  const packed = readdirSync(dir).find((file) => file.endsWith('.deb'))!;
  const script = 'set -o pipefail; deb=$1; shift; dpkg-deb --fsys-tarfile "$deb" | tar -x --wildcards "$@"';
  output('bash', ['-c', script, 'unpack', packed, ...NEEDED], dir);
  rmSync(join(dir, packed));
  // modprobe(8) looks at lib/modules of what it takes for the root.
  if (!existsSync(join(dir, 'lib'))) renameSync(join(dir, 'usr', 'lib'), join(dir, 'lib'));
  output('busybox', ['depmod', '-b', dir, name.replace('linux-image-', '')]);
}

function obtain(): GuestKernel {
  const { name, version } = latest();
  const dir = join(cache(), `${name}_${version}`);
  if (!existsSync(dir)) {
    mkdirSync(cache(), { recursive: true });
    const draft = mkdtempSync(join(cache(), '.draft-'));
    try {
      unpack(name, version, draft);
      renameSync(draft, dir);
    } catch (error) {
      // Two tests may have begun at once; one of them was first.
      if (!existsSync(dir)) throw error;
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  const release = name.replace('linux-image-', '');
  return {
    release,
    image: join(dir, 'boot', `vmlinuz-${release}`),
    modules: join(dir, 'lib', 'modules', release),
  };
}

let obtained: GuestKernel | Error | undefined;

/** The kernel, downloaded when this machine has none yet. @throws Error when it cannot be had */
export function guestKernel(): GuestKernel {
  try {
    obtained ??= obtain();
  } catch (error) {
    obtained = error as Error;
  }
  if (obtained instanceof Error) throw obtained;
  return obtained;
}

/** Why there is no kernel for guests; false when there is. */
export function noGuestKernel(): string | false {
  try {
    guestKernel();
    return false;
  } catch (error) {
    return `the package ${LATEST} cannot be had: ${(error as Error).message}`;
  }
}
