/**
 * What all stubs of a daemon need (stub.ts): their program, in a file without a name, and the system calls that start them.
 * @module
 */

import { writeSync } from 'node:fs';
import { arch } from 'node:process';
import type { NativeCalls, NativeFunction } from '../native.js';
import { SHARED_SIZE, stubProgram } from './program.js';

export const MFD_CLOEXEC = 1;
/** Since Linux 6.3, where others may be refused. */
const MFD_EXEC = 16;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/** What starts stubs, and what they all need. */
export class StubCalls {
  /** An executable file without a name. */
  readonly program: number;
  readonly pipe2: NativeFunction;
  readonly memfd: NativeFunction;
  readonly mmap: NativeFunction;
  readonly poll: NativeFunction;
  /** Memory of stubs that nobody refers to any more. */
  readonly #unused: FinalizationRegistry<bigint>;

  /** @throws Error of one line where no stub can be made */
  constructor(readonly native: NativeCalls) {
    const program = stubProgram(arch);
    if (!program) throw new Error(`there is no stub for ${arch}`);
    this.pipe2 = native.bind('int pipe2(void *fds, int flags)');
    this.memfd = native.bind('int memfd_create(const char *name, unsigned int flags)');
    this.mmap = native.bind(
      'int64_t mmap(void *address, size_t length, int prot, int flags, int fd, int64_t offset)',
    );
    const munmap = native.bind('int munmap(int64_t address, size_t length)');
    this.#unused = new FinalizationRegistry((address) => void munmap(address, SHARED_SIZE));
    this.poll = native.bind('int poll(void *fds, unsigned long count, int timeout)');
    const executable = this.memfd('mdevfs-stub', MFD_CLOEXEC | MFD_EXEC);
    this.program =
      executable >= 0 ? executable : native.checked('memfd_create', this.memfd('mdevfs-stub', MFD_CLOEXEC));
    writeSync(this.program, program);
  }

  /** Maps what a stub shares with this program, as long as somebody refers to it. */
  share(fd: number): Buffer {
    const address = BigInt(this.mmap(null, SHARED_SIZE, PROT_READ_WRITE, MAP_SHARED, fd, 0));
    if (address < 0n) throw new Error(`mmap: errno ${this.native.errno}`);
    const memory = this.native.viewOf(address, SHARED_SIZE);
    this.#unused.register(memory.buffer, address);
    return memory;
  }
}
