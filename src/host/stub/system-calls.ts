/**
 * Numbers of the system calls that stubs make, and flags that go with them (asm/unistd.h of each architecture).
 * @module
 */

import { arch } from 'node:process';

export interface StubNumbers {
  readonly close: number;
  readonly ioctl: number;
  readonly fcntl: number;
  readonly pread64: number;
  readonly pwrite64: number;
  readonly write: number;
  readonly prctl: number;
  readonly processVmReadv: number;
  readonly processVmWritev: number;
  readonly statx: number;
  readonly ioSetup: number;
  readonly ioGetevents: number;
  readonly ioSubmit: number;
}

const architectures: Readonly<Record<string, StubNumbers>> = {
  x64: {
    close: 3,
    ioctl: 16,
    fcntl: 72,
    pread64: 17,
    pwrite64: 18,
    write: 1,
    prctl: 157,
    processVmReadv: 310,
    processVmWritev: 311,
    statx: 332,
    ioSetup: 206,
    ioGetevents: 208,
    ioSubmit: 209,
  },
  arm64: {
    close: 57,
    ioctl: 29,
    fcntl: 25,
    pread64: 67,
    pwrite64: 68,
    write: 64,
    prctl: 167,
    processVmReadv: 270,
    processVmWritev: 271,
    statx: 291,
    ioSetup: 0,
    ioGetevents: 4,
    ioSubmit: 2,
  },
};

/** Those of this machine; those of x86-64 where none are known, and then there are no stubs. */
export const SYS: StubNumbers = architectures[arch] ?? architectures.x64!;

// The same on every architecture.
export const SYS_PIDFD_OPEN = 434;
export const SYS_PIDFD_GETFD = 438;
/** Of the thread itself, which may have descriptors of its own (Linux 6.9). */
export const PIDFD_THREAD = 0o200;

export const PR_SET_PDEATHSIG = 1;
export const PR_SET_NAME = 15;
export const SIGKILL = 9;
export const F_GETFL = 3;
export const O_PATH = 0o10000000;
