/**
 * `mdevfs monitor`: prints uevents as they come, in the layout of `udevadm monitor`. It listens to the netlink of its
 * network namespace, or, with `--at`, reads `kernel/debug/mdevfs/uevents` of a mounted tree, whose events need no
 * netlink. There is nothing else to do, so it sleeps in the system call, and a signal ends it there.
 * @module
 */

import { readSync, writeSync } from 'node:fs';
import { NativeCalls } from '../host/native.js';
import { newsOf } from '../host/poll.js';
import { listenUevents } from '../host/uevent-socket.js';
import { decodeLibudev } from '../uapi/libudev.js';
import { decodeUevent, UeventGroup } from '../uapi/netlink.js';
import { openControl } from './control-file.js';
import { CommandError, EXIT_USAGE, failure } from './error.js';

export interface MonitorCommandOptions {
  at?: string;
  property?: boolean;
  kernel?: boolean;
  udev?: boolean;
}

type Source = 'KERNEL' | 'UDEV';

const STDOUT = 1;
const READ_SIZE = 64 * 1024;

/** Does not come back, except when nobody takes the output any more. @returns the exit code */
export async function monitor(options: MonitorCommandOptions): Promise<number> {
  const { at, property = false, kernel = false, udev = false } = options;
  if (at !== undefined && udev)
    throw new CommandError([`--udev: ${at} is no udev; it tells kernel events only`], EXIT_USAGE);
  const calls = await NativeCalls.load().catch((error: Error) => {
    throw failure(`monitor: ${error.message}; npm install koffi`);
  });
  const print = (source: Source, env: readonly string[]): void => write(textOf(source, env, property));
  try {
    if (at !== undefined) monitorTree(calls, at, (env) => print('KERNEL', env));
    else monitorNetlink(calls, { kernel: kernel || !udev, udev: udev || !kernel }, print);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0;
    throw error;
  }
}

function textOf(source: Source, env: readonly string[], property: boolean): string {
  const valueOfKey = (key: string) =>
    env.find((variable) => variable.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  const now = process.hrtime.bigint() / 1000n;
  const time = `${now / 1_000_000n}.${String(now % 1_000_000n).padStart(6, '0')}`;
  const action = valueOfKey('ACTION').padEnd(8);
  const line = `${source.padEnd(6)}[${time}] ${action} ${valueOfKey('DEVPATH')} (${valueOfKey('SUBSYSTEM')})\n`;
  return property ? `${line}${env.map((variable) => `${variable}\n`).join('')}\n` : line;
}

function monitorNetlink(
  calls: NativeCalls,
  { kernel, udev }: { kernel: boolean; udev: boolean },
  print: (source: Source, env: readonly string[]) => void,
): never {
  const groups = (kernel ? UeventGroup.KERNEL : 0) | (udev ? UeventGroup.UDEV : 0);
  const listener = listenUevents(calls, groups);
  const whom = [...(kernel ? ['the kernel'] : []), ...(udev ? ['udev'] : [])].join(' and ');
  process.stderr.write(`listening to ${whom} in this network namespace; Ctrl-C ends\n`);
  for (;;) {
    const { group, message } = listener.receive();
    if (group === UeventGroup.UDEV) {
      const env = decodeLibudev(message);
      if (env) print('UDEV', env);
    } else {
      const event = decodeUevent(message);
      if (event) print('KERNEL', event.env);
    }
  }
}

function monitorTree(calls: NativeCalls, dir: string, print: (env: readonly string[]) => void): never {
  const fd = openControl(dir, 'uevents', 'r');
  const waitForNews = newsOf(calls, fd);
  const buffer = Buffer.alloc(READ_SIZE);
  let text = '';
  process.stderr.write(`listening to ${dir}; Ctrl-C ends\n`);
  for (;;) {
    const size = read(fd, buffer, dir);
    if (size === 0) {
      waitForNews();
      continue;
    }
    const blocks = (text + buffer.toString('latin1', 0, size)).split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) print(block.split('\n').slice(1));
  }
}

function read(fd: number, buffer: Buffer, dir: string): number {
  for (;;) {
    try {
      return readSync(fd, buffer);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOBUFS') throw failure(`${dir}: ${code}: the tree is no longer served`);
      process.stderr.write('events were lost: they came faster than they were printed\n');
    }
  }
}

function write(text: string): void {
  for (let rest = Buffer.from(text, 'latin1'); rest.length > 0; )
    rest = rest.subarray(writeSync(STDOUT, rest));
}
