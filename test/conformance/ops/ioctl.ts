/**
 * ioctl: on files of sysfs with a number or some room, on device files with the recorded structure in the memory of
 * the process.
 * @module
 */

import { after, asleep, type Sleeps } from '../../../src/lib/sleep.js';
import { parseRequest } from '../flags.js';
import type { Run } from '../run.js';
import type { SysMemory } from '../sys.js';
import { FailedWithOut, type Operands, type Operations, WithOut } from './operation.js';
import { Structure } from './structure.js';

const SOME_ROOM = 256;
const PAGE = 4096;
/** Where the random sequences have their memory, and how much of it they may map. */
const USER_MEMORY = 0x2_0000_0000n;
const USER_MEMORY_SIZE = 64 * PAGE;
/** The first page is never mapped. */
const LOWEST = 0x10000n;

export const ioctlOperations: Operations = {
  ioctl(run, operands) {
    const { args } = operands;
    if (args.path !== undefined) {
      run.call('ioctl')(run.fd(), parseRequest(args.req), Buffer.alloc(SOME_ROOM));
      return 0;
    }
    if (typeof args.in === 'string') return withStructure(run, operands);
    const fd = fileOf(run, operands);
    return after(run.call('ioctl')(fd, parseRequest(args.req), Number(args.arg ?? 0)), (result) =>
      named(run, operands, result),
    );
  },
};

/** A step without a descriptor is about the file that was opened or used last, and to open another is no use of one. */
function fileOf(run: Run, { args }: Operands): number {
  const opens = args.req === 'KVM_CREATE_DEVICE' || giveDescriptor.test(String(args.req));
  return opens ? run.peek(args.fd) : run.fd(args.fd);
}

function withStructure(run: Run, operands: Operands): Sleeps<unknown> {
  const { args } = operands;
  const structure = new Structure(run, operands);
  const fd = fileOf(run, operands);
  const memory = run.call('memory')();
  userMemory(memory, USER_MEMORY, USER_MEMORY_SIZE);
  const filled = structure.filledAddress;
  if (filled !== undefined && filled >= LOWEST) {
    userMemory(memory, filled & -BigInt(PAGE), PAGE);
    run.list = filled;
  }
  // The recorder's structure was followed by other memory of its own.
  const length = structure.bytes.length;
  const place = memory.map(Math.ceil(length / PAGE) * PAGE + PAGE);
  if (structure.pointee) {
    const address = place + BigInt(Math.ceil(length / 8) * 8);
    memory.write(address, structure.pointee);
    structure.pointTo(address);
  }
  memory.write(place, structure.bytes);

  const bytesAfter = (): Buffer | undefined => {
    const bytes = memory.read(place, length);
    memory.unmap(place);
    return structure.comparable ? structure.restore(bytes) : undefined;
  };
  const succeeded = (result: number): unknown => {
    structure.arm(true);
    const out = bytesAfter();
    return new WithOut(named(run, operands, result), out);
  };
  const failed = (error: unknown): never => {
    structure.arm(false);
    throw new FailedWithOut(error, bytesAfter());
  };
  let result: Sleeps<number>;
  try {
    result = run.call('ioctl')(fd, parseRequest(args.req), place);
  } catch (error) {
    return failed(error);
  }
  return asleep(result) ? result.then(succeeded, failed) : succeeded(result);
}

/** Requests whose result is a descriptor. */
const giveDescriptor = /^(VFIO_GROUP_GET_DEVICE_FD|KVM_CREATE_VM|VFIO_DEVICE_GET_GFX_DMABUF)$/;

/** The result, by its recorded name where it is a descriptor. */
function named(run: Run, { step, args }: Operands, result: number): unknown {
  if (!giveDescriptor.test(String(args.req))) return result;
  const fd = run.sys.ownFd?.(result) ?? result;
  if (typeof step.ret !== 'string') {
    run.sys.close(fd);
    return 'a descriptor';
  }
  run.name(step.ret, fd);
  if (args.req === 'VFIO_GROUP_GET_DEVICE_FD') run.openDevice = step.ret;
  return step.ret;
}

/** Maps memory that the recorder had, unless it is there already. */
function userMemory(memory: SysMemory, address: bigint, length: number): void {
  try {
    memory.read(address, 1);
  } catch {
    memory.map(length, address);
  }
}
