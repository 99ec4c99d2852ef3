/**
 * Carries the uevents of a machine to the netlink of the network namespace that this process is in: to the kernel's
 * group as the kernel's own, and where no udevd runs in the namespace, to udev's group as udevd would.
 *
 * An event leaves when the tree shows everybody what it tells of, and the write that caused it returns after that
 * ({@link Mounted.announce}).
 * @module
 */

import { closeSync } from 'node:fs';
import type { Uevent } from '../base/uevent.js';
import type { Mounted } from '../fuse/transport.js';
import type { Machine } from '../machine/machine.js';
import { encodeUevent, ueventFits } from '../uapi/netlink.js';
import { NativeCalls } from './native.js';
import { openUdevControl } from './udev-control.js';
import { UdevEvents } from './udev-event.js';
import { udevdRuns } from './udevd.js';
import { openKernelSender, openUdevSender } from './uevent-socket.js';

export interface UeventOptions {
  /** The mount of the machine's tree. */
  mounted: Pick<Mounted, 'announce' | 'done'>;
  /** Whether to speak for udevd while none runs in the network namespace; false when not given. */
  udev?: boolean;
  /**
   * Where clients of udev look for it, usually {@link UDEV_CONTROL}: made if nothing is there, and removed in the end.
   * Give it only where that path is private. Nothing is made when not given.
   */
  udevControl?: string;
  /** Takes one line for an event that netlink cannot carry; standard error when not given. */
  log?: (text: string) => void;
}

export interface UeventSending {
  /** Sends no more. The sockets are closed when the mount is gone. */
  close(): void;
}

/**
 * Sends the machine's events from now on. The sockets belong to the network namespace that the main thread is in when
 * this is called; the process must be in it from its start, or the mount's notifier, a thread of its own that writes
 * to the sockets too, lacks the right to.
 * @throws Error of one line: koffi is not installed, or this process has no right to send
 */
export async function startUevents(
  machine: Machine,
  { mounted, udev = false, udevControl, log = console.error }: UeventOptions,
): Promise<UeventSending> {
  const calls = await NativeCalls.load().catch((error: Error) => {
    throw new Error(`uevents: ${error.message}; npm install koffi`);
  });
  const descriptors: number[] = [];
  const closeDescriptors = (): void => {
    for (const fd of descriptors.splice(0)) closeSync(fd);
  };
  const opened = (fd: number): number => {
    descriptors.push(fd);
    return fd;
  };
  try {
    const kernel = opened(openKernelSender(calls));
    const toUdev = udev ? { fd: opened(openUdevSender(calls)), events: new UdevEvents() } : undefined;
    const removeControl = udevControl === undefined ? () => {} : openUdevControl(calls, udevControl);
    const send = (event: Uevent): void => {
      const { action, devpath, env } = event;
      const message = encodeUevent(action, devpath, env);
      if (!ueventFits(message)) {
        log(`mdevfs: uevent ${action}@${devpath}: too long for netlink, not sent`);
        return;
      }
      mounted.announce({ fd: kernel, message });
      if (toUdev && !udevdRuns())
        mounted.announce({ fd: toUdev.fd, message: toUdev.events.messageOf(event) });
    };
    const unsubscribe = machine.uevents.subscribe(send);
    // What was announced may not have left yet, and must not reach whoever gets the number of a descriptor next.
    mounted.done.then(closeDescriptors, closeDescriptors);
    return {
      close() {
        unsubscribe();
        removeControl();
      },
    };
  } catch (error) {
    closeDescriptors();
    throw new Error(`uevents: ${(error as Error).message}`);
  }
}
