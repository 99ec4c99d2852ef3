/**
 * A machine with a small Linux in it, and a shell to run scripts inside. It boots in a few seconds, has one processor and
 * no disk, and leaves some of its memory to the scripts (guest/memory.sh).
 * @module
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { lacking, type Output, scratch } from './client.js';
import { guestImage } from './guest-image.js';
import { guestKernel, noGuestKernel } from './guest-kernel.js';
import { GuestShell } from './guest-shell.js';
import { QEMU, Qemu, type QemuOptions } from './qemu.js';

/** Words of the kernel's command line. The memory kept out of its hands is where guest/memory.sh says. */
export const COMMAND_LINE = 'console=ttyS0 quiet nokaslr panic=-1 memmap=32M$64M';
export const MEMORY_MIB = 256;

/** Why there can be no guest; false when there can. */
export const noGuest = (): string | false =>
  lacking(QEMU, 'setpriv', 'busybox', 'lspci', 'setpci', 'ldd', 'apt-get', 'dpkg-deb') || noGuestKernel();

/** Files that a machine boots a guest from. */
export interface GuestFiles {
  kernel: string;
  initrd: string;
}

/** Makes the files, for the length of a test. */
export function guestFiles(t: Test): GuestFiles {
  const initrd = join(scratch(t), 'initrd');
  writeFileSync(initrd, guestImage());
  return { kernel: guestKernel().image, initrd };
}

/** Arguments of QEMU for the machine. The first serial port has to come before. @param shell is at the second one */
export const machineOf = ({ kernel, initrd }: GuestFiles, shell: GuestShell): string[] => [
  ...['-M', 'q35', '-m', String(MEMORY_MIB), '-no-reboot'],
  ...['-kernel', kernel, '-initrd', initrd, '-append', COMMAND_LINE],
  ...['-chardev', `socket,id=shell,path=${shell.path}`, '-serial', 'chardev:shell'],
];

export class Guest {
  private constructor(
    readonly qemu: Qemu,
    readonly shell: GuestShell,
  ) {}

  /**
   * Boots one, until the end of the test.
   * @param args for QEMU, besides the machine, its memory, and what it boots
   * @throws Error with what QEMU or the guest's kernel wrote when it does not come up
   */
  static async boot(t: Test, args: readonly string[], options: QemuOptions = {}): Promise<Guest> {
    const shell = await GuestShell.listen(join(scratch(t), 'shell'));
    t.teardown(() => shell.close());
    const words = [...machineOf(guestFiles(t), shell), ...args];
    const ended = (why: string) => {
      options.ended?.(why);
      shell.end(why);
    };
    const qemu = await Qemu.start(t, words, { ...options, ended });
    try {
      await shell.booted();
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${qemu.console}`);
    }
    return new Guest(qemu, shell);
  }

  /** Runs a script inside. */
  run(script: string): Promise<Output> {
    return this.shell.run(script);
  }

  /** What a script writes inside, to either. */
  output(script: string): Promise<string> {
    return this.shell.output(script);
  }
}
