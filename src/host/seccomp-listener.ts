/**
 * Answers the system calls that a seccomp filter holds (seccomp-filter.ts): requests on emulated VFIO files are done by
 * the model, as those that arrive over FUSE, with a process that can be given descriptors. A call on any other file goes
 * on in the kernel.
 * @module
 */

import type { CharFile } from '../base/file.js';
import type { Log } from '../fuse/transport.js';
import { Errno, KernelError } from '../lib/errno.js';
import { rosterMembers } from '../lib/roster.js';
import { KVM_SET_DEVICE_ATTR } from '../uapi/kvm.js';
import type { SeccompNotif } from '../uapi/seccomp.js';
import type { VfioDevice } from '../vfio/device.js';
import { VfioGroupFile } from '../vfio/group-file.js';
import type { DeviceFiles } from './device-files.js';
import type { ForeignVms } from './foreign-vms.js';
import { HeldProcess } from './held-process.js';
import type { LockedMemory } from './locked-memory.js';
import type { NativeCalls } from './native.js';
import type { Placeholders } from './placeholders.js';
import { Ready } from './ready.js';
import { SeccompCalls } from './seccomp-calls.js';
import { systemCalls } from './seccomp-filter.js';
import type { SpareFiles } from './spare-files.js';

/** The kernel shall do it. */
const GO_ON = Symbol('go on');
type Answer = number | typeof GO_ON;

/** Who the listener asks. */
export interface HeldCalls {
  readonly files: DeviceFiles;
  readonly spares: SpareFiles;
  readonly vms: ForeignVms;
  readonly locked: LockedMemory;
  readonly placeholders: Placeholders;
}

export class SeccompListener {
  readonly #calls: SeccompCalls;
  readonly #ready: Ready;

  /** @param fd descriptor of the listener */
  constructor(
    native: NativeCalls,
    fd: number,
    readonly asked: HeldCalls,
    readonly log: Log,
  ) {
    this.#calls = new SeccompCalls(native, fd);
    this.#ready = new Ready(native);
  }

  /** @returns when nobody is left whose calls are held */
  serve(): Promise<void> {
    return this.#ready.each(this.#calls.listener, () => {
      const notif = this.#calls.receive();
      if (notif) void this.#answer(notif);
    });
  }

  end(): void {
    this.#ready.end();
  }

  async #answer(notif: SeccompNotif): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#do(notif);
    } catch (error) {
      const errno = error instanceof KernelError ? error.errno : Errno.EIO;
      if (!(error instanceof KernelError)) this.log(`mdevfs: ${(error as Error).stack}`);
      answer = -errno;
    }
    if (answer === GO_ON) this.#calls.goOn(notif.id);
    else this.#calls.answer(notif.id, answer);
  }

  async #do(notif: SeccompNotif): Promise<Answer> {
    const { thread, nr } = notif;
    if (thread === 0) return GO_ON;
    const process = new HeldProcess(notif, this.#calls, this.asked.files);
    try {
      if (nr === systemCalls?.ioctl) return await this.#ioctl(process);
      if (nr === systemCalls?.prlimit64) return (await this.asked.locked.prlimit(process)) ?? GO_ON;
      return GO_ON;
    } finally {
      process.end();
    }
  }

  async #ioctl(process: HeldProcess): Promise<Answer> {
    const { args } = process.notif;
    const [fd, request, argument] = [
      Number(BigInt.asIntN(32, args[0]!)),
      Number(args[1]! & 0xffff_ffffn),
      args[2]!,
    ];
    const { files, spares, vms } = this.asked;
    vms.sweep();
    if (request === KVM_SET_DEVICE_ATTR) return (await vms.setDeviceAttr(process, fd, argument)) ?? GO_ON;
    const described = await process.describe(fd);
    const file = described.file ?? (await this.asked.placeholders.replace(process, fd, described));
    if (!file) return GO_ON;
    process.spares.push(await spares.open(files.backingOf(handedOut(file.device))));
    this.#calls.assertHeld(process.notif.id);
    return file.ioctlOf(process, request, argument);
  }
}

/** The device that a request on a file hands out, if any. A group of several has none with memory to map. */
function handedOut(file: CharFile): VfioDevice | undefined {
  if (!(file instanceof VfioGroupFile)) return undefined;
  const [vdev] = rosterMembers(file.group.vdevs);
  return vdev;
}
