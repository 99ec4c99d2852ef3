/**
 * Memory of this process, as that of a client.
 * @module
 */

import { NativeCalls } from '../../../src/host/native.js';
import { Copies } from '../../../src/host/stub/copies.js';
import { Restarts } from '../../../src/host/stub/restart.js';
import { Stubs } from '../../../src/host/stub/stubs.js';

export const PAGE_SIZE = 4096;
const PROT_NONE = 0;

export interface Memory {
  readonly native: NativeCalls;
  readonly stubs: Stubs;
  readonly restarts: Restarts;
  readonly copies: Copies;
  /** All but the last page, which may not be touched. */
  readonly bytes: Buffer;
  readonly address: number;
  /** Copies as a thread of a client that waits has it done. */
  read(address: number, length: number): Promise<Buffer>;
  write(address: number, bytes: Uint8Array): Promise<void>;
}

/** @param t ends the stubs */
export async function memory(t: { teardown(end: () => void): void }, pages: number): Promise<Memory> {
  const native = await NativeCalls.load();
  const mmap = native.bind(
    'int64_t mmap(int64_t address, int64_t length, int prot, int flags, int fd, int64_t offset)',
  );
  const mprotect = native.bind('int mprotect(int64_t address, int64_t length, int prot)');
  const length = pages * PAGE_SIZE;
  const address = mmap(0, length, 3, 0x22, -1, 0);
  native.checked('mprotect', mprotect(address + length - PAGE_SIZE, PAGE_SIZE, PROT_NONE));
  const stubs = new Stubs(native);
  // What is looked at by a timer keeps nothing alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => {
    clearInterval(alive);
    stubs.close();
  });
  const restarts = new Restarts();
  const copies = new Copies(stubs, restarts);
  const own = { client: { pid: process.pid, uid: 0 }, thread: process.pid };
  return {
    native,
    stubs,
    restarts,
    copies,
    bytes: native.viewOf(BigInt(address), length - PAGE_SIZE),
    address,
    read: async (from, size) =>
      restarts.run(process.pid, 'access', () => {
        const target = Buffer.alloc(size);
        copies.read(own, from, target);
        return target;
      }),
    write: async (to, data) => restarts.run(process.pid, 'access', () => copies.write(own, to, data)),
  };
}
