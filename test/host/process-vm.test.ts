import t from 'tap';
import { NativeCalls } from '../../src/host/native.js';
import { ProcessVm } from '../../src/host/process-vm.js';

const PAGE_SIZE = 4096;
const PROT_NONE = 0;

/** Memory of this process, of which the last page may not be touched. */
async function memory(pages: number): Promise<{ vm: ProcessVm; bytes: Buffer; address: number }> {
  const native = await NativeCalls.load();
  const mmap = native.bind(
    'int64_t mmap(int64_t address, int64_t length, int prot, int flags, int fd, int64_t offset)',
  );
  const mprotect = native.bind('int mprotect(int64_t address, int64_t length, int prot)');
  const length = pages * PAGE_SIZE;
  const address = mmap(0, length, 3, 0x22, -1, 0);
  native.checked('mprotect', mprotect(address + length - PAGE_SIZE, PAGE_SIZE, PROT_NONE));
  const bytes = native.viewOf(BigInt(address), length - PAGE_SIZE);
  return { vm: new ProcessVm(native), bytes, address };
}

const fault = { code: 'EFAULT' };

t.test('memory of a process is read and written, however long', async (t) => {
  const { vm, bytes, address } = await memory(34);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7) % 251;
  for (const [at, length] of [
    [0, 0],
    [5, 4],
    [5, 32],
    [4095, 1025],
    [1, 64 * 1024],
    [3, 2 * 64 * 1024 - 1],
  ] as const) {
    const read = vm.read(process.pid, address + at, length);
    t.ok(read.equals(bytes.subarray(at, at + length)), `${length} bytes`);
    read.reverse();
    const before = Buffer.from(bytes);
    vm.write(process.pid, address + at, read);
    read.copy(before, at);
    t.ok(bytes.equals(before), `nothing but those ${length} bytes is written`);
  }
});

t.test('what was read stays what it was when more is read', async (t) => {
  const { vm, bytes, address } = await memory(2);
  bytes.write('one two');
  const [one, two] = [vm.read(process.pid, address, 3), vm.read(process.pid, address + 4, 3)];
  t.same([one.toString(), two.toString()], ['one', 'two']);
});

t.test('memory that is not there, or may not be touched, is EFAULT', async (t) => {
  const { vm, bytes, address } = await memory(2);
  const end = address + bytes.length;
  for (const at of [end, end - 1, 0, 2 ** 47, 2 ** 52, 2 ** 63, 2 ** 64 - 4096]) {
    t.throws(() => vm.read(process.pid, at, 4), fault, `read at ${at}`);
    t.throws(() => vm.write(process.pid, at, Buffer.alloc(4)), fault, `write at ${at}`);
  }
});
