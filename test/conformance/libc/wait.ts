/**
 * Waiting for files: poll, epoll, select and inotify, all without waiting.
 * @module
 */

import { type Sys, SysError, type SysInotifyEvent } from '../sys.js';
import { checkedBy, type Library, type Root } from './bindings.js';

type WaitCalls = Pick<Sys, 'poll' | 'epoll' | 'select' | 'inotifyInit' | 'inotifyAdd' | 'inotifyRead'>;

const EVERY_EVENT = 0x7fff;
const EPOLL_IN_PRI_OUT = 7;
const EPOLL_CTL_ADD = 1;
const IN_NONBLOCK_CLOEXEC = 0o2004000;
const EAGAIN = 11;

export function waitCalls(root: Root, library: Library): WaitCalls {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  const poll = native('int poll(void *fds, uint64_t count, int timeout)');
  const epollCreate = native('int epoll_create1(int flags)');
  const epollCtl = native('int epoll_ctl(int epoll, int operation, int fd, void *event)');
  const epollWait = native('int epoll_wait(int epoll, void *events, int count, int timeout)');
  const select = native('int select(int count, void *read, void *write, void *except, void *timeout)');
  const inotifyInit = native('int inotify_init1(int flags)');
  const inotifyAdd = native('int inotify_add_watch(int fd, const char *path, uint32_t mask)');
  const read = native('int64_t read(int fd, void *buffer, size_t length)');
  const close = native('int close(int fd)');
  const watches = new Map<number, Map<number, string>>();

  return {
    poll(fd) {
      const pollfd = Buffer.alloc(8);
      pollfd.writeInt32LE(fd, 0);
      pollfd.writeInt16LE(EVERY_EVENT, 4);
      checked(poll(pollfd, 1, 0));
      return pollfd.readUInt16LE(6);
    },
    epoll(fd) {
      const epoll = checked(epollCreate(0));
      try {
        const event = Buffer.alloc(12);
        event.writeUInt32LE(EPOLL_IN_PRI_OUT, 0);
        event.writeInt32LE(fd, 4);
        checked(epollCtl(epoll, EPOLL_CTL_ADD, fd, event));
        const events = Buffer.alloc(12 * 4);
        const count = checked(epollWait(epoll, events, 4, 0));
        return Array.from({ length: count }, (_, index) => events.readUInt32LE(12 * index));
      } finally {
        close(epoll);
      }
    },
    select(fd) {
      const sets = [0, 1, 2].map(() => {
        const set = Buffer.alloc(128);
        set[fd >> 3] = 1 << (fd & 7);
        return set;
      });
      checked(select(fd + 1, ...sets, Buffer.alloc(16)));
      const held = (index: number): number => (sets[index]![fd >> 3] ? 1 : 0);
      return [held(0), held(1), held(2)];
    },
    inotifyInit() {
      const fd = checked(inotifyInit(IN_NONBLOCK_CLOEXEC));
      watches.set(fd, new Map());
      return fd;
    },
    inotifyAdd(inotify, path, mask) {
      const watch = checked(inotifyAdd(inotify, root.toHost(path), mask));
      watches.get(inotify)?.set(watch, path);
    },
    inotifyRead(inotify) {
      const buffer = Buffer.alloc(65536);
      try {
        const length = checked(read(inotify, buffer, buffer.length));
        return parseInotify(buffer.subarray(0, length), watches.get(inotify) ?? new Map());
      } catch (error) {
        if (error instanceof SysError && error.errno === EAGAIN) return [];
        throw error;
      }
    },
  };
}

/** struct inotify_event: wd, mask, cookie, len, name. */
function parseInotify(bytes: Buffer, watches: ReadonlyMap<number, string>): SysInotifyEvent[] {
  const events: SysInotifyEvent[] = [];
  for (let at = 0; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 12)) {
    const name = bytes.toString('utf8', at + 16, at + 16 + bytes.readUInt32LE(at + 12));
    events.push({
      watch: watches.get(bytes.readInt32LE(at)) ?? '?',
      mask: bytes.readUInt32LE(at + 4),
      name: name.replace(/\0.*$/s, ''),
    });
  }
  return events;
}
