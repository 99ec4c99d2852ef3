/**
 * Operations on device files that the recorder had names of its own for: registers of a serial port, config space,
 * eventfds, mappings, the migration stream. Where a recording leaves an argument out, the value here is one that the
 * results agree with.
 * @module
 */

import type { Run } from '../run.js';
import { type Operations, readText } from './operation.js';

const PAGE = 4096;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
/** Regions of a PCI device: the index is in the upper bits of an offset. */
const region = (index: number): number => index * 2 ** 40;
const CONFIG = region(7);
const CONFIG_SIZE = 0xff;

/** Registers of a 16550. */
const RX = 0;
const FCR = 2;
const LSR = 5;
const FCR_ENABLE_AND_CLEAR = 7;
const LSR_DATA_READY = 1;

const O_CLOEXEC = 0o2000000;

const readRegister = (run: Run, port: number, register: number): number =>
  run.sys.pread(device(run), 1, region(port) + register)[0]!;

const writeRegister = (run: Run, port: number, register: number, value: number): unknown =>
  run.sys.pwrite(device(run), Uint8Array.of(value), region(port) + register);

/** These steps name no file: it is the device that was opened last. */
const device = (run: Run): number => run.fd(run.openDevice);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const config = (run: Run): string => hex(run.sys.pread(device(run), CONFIG_SIZE, run.config));

function mapped(flags: number, length = PAGE, otherwise = 0): Operations[string] {
  return (run, { args }) => {
    run.call('munmap')(run.call('mapFile')(run.fd(), flags, length, Number(args.off ?? otherwise)));
  };
}

function status(run: Run): [string, number] {
  const fd = run.fd();
  const flags = run.sys.fcntlGetfl(fd);
  return [`0o${(flags & ~O_CLOEXEC).toString(8)}`, run.sys.fcntlGetfd(fd)];
}

/** The counter of an eventfd. */
const count = (run: Run, name: string): number =>
  Number(Buffer.from(run.sys.read(run.fd(name), 8)).readBigUInt64LE());

const MDPY_MEMORY = PAGE;
const BEYOND = 64 << 20;

export const vfioOperations: Operations = {
  reg_read: (run, { args }) => readRegister(run, Number(args.port ?? 0), Number(args.reg)),
  reg_write: (run, { args }) =>
    writeRegister(run, Number(args.port ?? 0), Number(args.reg), Number(args.val)),
  rx: (run) => readRegister(run, 0, RX),
  drain(run) {
    let characters = 0;
    for (; readRegister(run, 0, LSR) & LSR_DATA_READY; characters++) readRegister(run, 0, RX);
    return characters;
  },
  'fifo clear': (run) => writeRegister(run, 0, FCR, FCR_ENABLE_AND_CLEAR),
  'write 4 bytes at BAR0+0': (run) => run.sys.pwrite(device(run), Buffer.from('ABCD'), 0),
  'write 3 bytes at BAR0+5': (run) => run.sys.pwrite(device(run), Buffer.from('xyz'), LSR),
  'write mem': (run) => run.sys.pwrite(device(run), Buffer.from('abcd'), MDPY_MEMORY),

  'config 0..0xfe'(run, { args }) {
    run.config = Number(args.off);
    return config(run);
  },
  'config bytes one by one': (run) =>
    hex(
      Buffer.concat(
        Array.from({ length: CONFIG_SIZE }, (_, at) => run.sys.pread(device(run), 1, run.config + at)),
      ),
    ),
  'config after': config,
  'config after reset': config,
  'config after reopen': config,
  config: (run) => hex(run.sys.pread(device(run), CONFIG_SIZE + 1, CONFIG)),

  'mmap 0': mapped(MAP_SHARED),
  'mmap BAR0': mapped(MAP_SHARED),
  'mmap page1': mapped(MAP_SHARED),
  'mmap off 8192': mapped(MAP_SHARED, PAGE, 2 * PAGE),
  'mmap big': mapped(MAP_SHARED, BEYOND, MDPY_MEMORY),
  'mmap private': mapped(MAP_PRIVATE, PAGE, MDPY_MEMORY),
  /** What shows through a mapping, and a write by way of it. */
  'mmap fb'(run) {
    const address = run.call('mapFile')(device(run), MAP_SHARED, PAGE, MDPY_MEMORY);
    const memory = run.call('memory')();
    const shown = hex(memory.read(address, 4));
    memory.write(address, Buffer.from('zz'));
    run.call('munmap')(address);
    return shown;
  },

  /** The steps that follow are marked, and made in a process of their own. */
  'fork: ioctl from another mm': () => null,

  getfl: status,
  'getfl,getfd': status,
  'VmLck/VmPin': (run) => [String(run.call('locked')() * 4), '0'],
  VmPin: (run) => [String(run.call('locked')() * 4), '0'],
  debugfs: (run, { step }) =>
    Object.fromEntries(Object.keys(step.ret as object).map((path) => [path, readText(run.sys, path)])),

  /** Makes one; in a step that fails it is a look at the one there is. */
  eventfd(run, { step }) {
    if ('ret' in step) {
      run.name(`eventfd ${run.eventfds++}`, run.call('eventfd')());
      return null;
    }
    return count(run, run.armed.last());
  },
  eventfd_read: (run, { args }) => count(run, run.armed.meant(String(args.which))),
  'req eventfd': (run) => count(run, run.armed.last()),

  'read data_fd': (run) => hex(run.sys.read(run.fd('data_fd'), PAGE)),
  /** The stream is closed after this. */
  'read data_fd again'(run) {
    const fd = run.fd('data_fd');
    run.forget('data_fd');
    try {
      return hex(run.sys.read(fd, PAGE));
    } finally {
      run.sys.close(fd);
    }
  },
};
