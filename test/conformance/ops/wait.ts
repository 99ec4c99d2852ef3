/**
 * Operations that ask what a descriptor is ready for, and what inotify says about it.
 * @module
 */

import { Errno } from '../../../src/lib/errno.js';
import type { Run } from '../run.js';
import { typeOf } from '../stat.js';
import { SysError } from '../sys.js';
import { type Operations, readFile } from './operation.js';

const POLLIN = 1;
const POLLPRI = 2;
const POLLOUT = 4;
const POLLERR = 8;

/** Of a device file the recorder wrote the events in hexadecimal. */
const polled: Operations[string] = (run, { args, step }) => {
  const events = run.sys.poll(run.fd(args.fd));
  const [recorded] = Array.isArray(step.ret) ? step.ret : [];
  return [typeof recorded === 'string' ? `0x${events.toString(16)}` : events];
};

/** epoll and select ask the same question as poll, so without them poll's answer is theirs. */
function epoll(run: Run): number[] {
  const fd = run.fd();
  if (run.sys.epoll) return run.sys.epoll(fd);
  if (typeOf(run.sys.fstat(fd).mode) === 'dir') throw new SysError(Errno.EPERM);
  const events = run.sys.poll(fd) & (POLLIN | POLLPRI | POLLOUT | POLLERR);
  return events === 0 ? [] : [events];
}

function select(run: Run): number[] {
  if (run.sys.select) return run.sys.select(run.fd());
  const events = run.sys.poll(run.fd());
  return [POLLIN | POLLERR, POLLOUT | POLLERR, POLLPRI].map((mask) => (events & mask ? 1 : 0));
}

export const waitOperations: Operations = {
  poll: polled,
  'poll before read': polled,
  'poll after read': polled,
  'poll after change': polled,
  'poll create': polled,
  'poll dir': polled,
  epoll,
  'epoll_ctl dir': epoll,
  select,
};

const IN_ALL_EVENTS = 0xfff;
const P = '/sys/devices/virtual/mtty/mtty';
const T = `${P}/mdev_supported_types/mtty-1`;
const INOTIFY = 'inotify';

/**
 * The steps of the inotify case: watches on a type and its attributes, later on a device, and what is heard
 * of a read, a create and a remove. Which watches there were shows in who reports an event.
 */
export function inotifyNote(run: Run, title: string): unknown {
  const watch = (...paths: string[]): void => {
    for (const path of paths) run.call('inotifyAdd')(run.fd(INOTIFY), path, IN_ALL_EVENTS);
  };
  const device = `${P}/83b8f4f2-509f-382f-3c1e-e6bfe0fa1000`;
  if (title.includes('after read')) {
    run.name(INOTIFY, run.call('inotifyInit')());
    watch(T, `${T}/available_instances`, `${T}/create`, P, '/sys/bus/mdev/devices');
    readFile(run.sys, `${T}/available_instances`);
  }
  const events = run.call('inotifyRead')(run.fd(INOTIFY));
  if (title.includes('after create')) watch(device, `${device}/remove`);
  const shown = (path: string): string => (path.startsWith(device) ? `D${path.slice(device.length)}` : path);
  return events.map(({ watch: path, mask, name }) => [shown(path), `0x${mask.toString(16)}`, name]);
}
