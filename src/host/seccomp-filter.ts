/**
 * A seccomp filter with a listener (seccomp(2) SECCOMP_RET_USER_NOTIF): of whoever is started after it, the few system
 * calls are held until the listener answers that FUSE cannot answer by itself, since they give the caller a descriptor or
 * are made on a file of another kind. Everything else passes, some 25 nanoseconds later.
 *
 * The filter is that of the calling thread. A tree of processes can have one listener only.
 * @module
 */

import { arch } from 'node:process';
import { IOMMU_FAULT_QUEUE_ALLOC } from '../uapi/iommufd.js';
import { KVM_SET_DEVICE_ATTR } from '../uapi/kvm.js';
import {
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_GET_GFX_DMABUF,
  VFIO_GROUP_GET_DEVICE_FD,
} from '../uapi/vfio.js';
import { VFIO_DEVICE_FEATURE } from '../uapi/vfio-feature.js';
import type { NativeCalls } from './native.js';

/** Numbers of an architecture: AUDIT_ARCH_* of linux/audit.h, and of system calls. */
export interface Numbers {
  readonly audit: number;
  readonly seccomp: number;
  readonly ioctl: number;
  readonly prlimit64: number;
}

const architectures: Readonly<Record<string, Numbers>> = {
  x64: { audit: 0xc000003e, seccomp: 317, ioctl: 16, prlimit64: 302 },
  arm64: { audit: 0xc00000b7, seccomp: 277, ioctl: 29, prlimit64: 261 },
};

export const systemCalls = architectures[arch];

export const RLIMIT_MEMLOCK = 8;
/** struct rlimit64: soft, hard. */
export const RLIMIT_SIZE = 16;
export const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/** Requests that are held. */
const HELD = [
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_GET_GFX_DMABUF,
  IOMMU_FAULT_QUEUE_ALLOC,
  KVM_SET_DEVICE_ATTR,
];

// linux/bpf_common.h, linux/seccomp.h
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;
const RET_ALLOW = 0x7fff0000;
const RET_USER_NOTIF = 0x7fc00000;
const SET_MODE_FILTER = 1;
const SPEC_ALLOW = 4;
const NEW_LISTENER = 8;
const WAIT_KILLABLE_RECV = 32;
const PR_SET_NO_NEW_PRIVS = 38;
const EACCES = 13;
const EINVAL = 22;
const EBUSY = 16;

const NO_SYSTEM_CALL = 0xffff_ffff;

// struct seccomp_data
const NR = 0;
const ARCH = 4;
const argument = (index: number): number => 16 + 8 * index;

export type Instruction = readonly [
  code: number,
  value: number,
  onTrue?: string | undefined,
  onFalse?: string | undefined,
];

/**
 * Jumps go to a label; without one, to the next instruction.
 * @param limits whether raising the limit of locked memory is held
 */
export const heldProgram = (numbers: Numbers, limits: boolean): (Instruction | string)[] => [
  [LOAD, ARCH],
  [JUMP_EQUAL, numbers.audit, undefined, 'pass'],
  [LOAD, NR],
  [JUMP_EQUAL, numbers.ioctl, 'ioctl'],
  [JUMP_EQUAL, limits ? numbers.prlimit64 : NO_SYSTEM_CALL, undefined, 'pass'],
  [LOAD, argument(1)],
  [JUMP_EQUAL, RLIMIT_MEMLOCK, undefined, 'pass'],
  // A null pointer only asks.
  [LOAD, argument(2)],
  [JUMP_EQUAL, 0, undefined, 'hold'],
  [LOAD, argument(2) + 4],
  [JUMP_EQUAL, 0, 'pass', 'hold'],
  'ioctl',
  [LOAD, argument(1)],
  ...HELD.map((request): Instruction => [JUMP_EQUAL, request, 'hold']),
  'pass',
  [RETURN, RET_ALLOW],
  'hold',
  [RETURN, RET_USER_NOTIF],
];

/** `struct sock_filter[]`: u16 code, u8 jump if true, u8 jump if not, u32 value. */
export function assemble(lines: readonly (Instruction | string)[]): Buffer {
  const labels = new Map<string, number>();
  const instructions: Instruction[] = [];
  for (const line of lines) {
    if (typeof line === 'string') labels.set(line, instructions.length);
    else instructions.push(line);
  }
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [at, [code, value, onTrue, onFalse]] of instructions.entries()) {
    const jump = (label?: string): number => (label === undefined ? 0 : labels.get(label)! - at - 1);
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(jump(onTrue), at * 8 + 2);
    bytes.writeUInt8(jump(onFalse), at * 8 + 3);
    bytes.writeUInt32LE(value, at * 8 + 4);
  }
  return bytes;
}

/** Whether the machine lets this program raise its limit of locked memory, and so what it starts. */
function raisesLimits(calls: NativeCalls): boolean {
  const prlimit = calls.bind('int prlimit(int pid, int resource, void *wanted, void *old)');
  const limit = Buffer.alloc(RLIMIT_SIZE);
  prlimit(0, RLIMIT_MEMLOCK, null, limit);
  limit.writeBigUInt64LE(RLIM_INFINITY, 8);
  return prlimit(0, RLIMIT_MEMLOCK, limit, null) === 0;
}

export interface Held {
  /** Descriptor of the listener, the caller's to close. */
  listener: number;
}

/**
 * Sets the filter for this thread, and whatever it starts from now on.
 * @returns the listener, or in one line why there is none
 */
export function holdSystemCalls(calls: NativeCalls): Held | string {
  if (!systemCalls) return `no system calls are known of ${arch}`;
  const filter = assemble(heldProgram(systemCalls, !raisesLimits(calls)));
  const memory = calls.allocate(16 + filter.length);
  memory.bytes.fill(0);
  memory.bytes.writeUInt16LE(filter.length / 8, 0);
  memory.bytes.writeBigUInt64LE(memory.address + 16n, 8);
  filter.copy(memory.bytes, 16);
  const syscall = calls.bind('long syscall(long number, long operation, long flags, void *program)');
  const seccomp = (flags: number): number => {
    const listener = Number(syscall(systemCalls.seccomp, SET_MODE_FILTER, flags, memory.bytes));
    return listener >= 0 ? listener : -calls.errno;
  };
  let flags = NEW_LISTENER | SPEC_ALLOW | WAIT_KILLABLE_RECV;
  let listener = seccomp(flags);
  if (listener === -EACCES) {
    // Without rights over the namespace: then nobody may gain any by a set-user-ID program.
    calls.bind('int prctl(int option, long a, long b, long c, long d)')(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    listener = seccomp(flags);
  }
  // Before Linux 5.19.
  if (listener === -EINVAL) {
    flags &= ~WAIT_KILLABLE_RECV;
    listener = seccomp(flags);
  }
  if (listener >= 0) return { listener };
  if (listener === -EBUSY) return 'seccomp has another listener already, as in some containers';
  return `seccomp: errno ${-listener}`;
}
