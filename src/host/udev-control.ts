/**
 * The control socket of udevd, `/run/udev/control`, where no udevd runs. Clients of udev look whether it is there before
 * they listen. `udevadm settle` connects, and waits until the connection is closed: here after a moment, in which
 * listeners take in the events that were sent to them. libvirt, for one, looks for a new device once settle has
 * returned, and again only five seconds later.
 * @module
 */

import { closeSync, existsSync, mkdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { NativeCalls } from './native.js';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SHUT_RDWR = 2;
const BACKLOG = 64;
/** Milliseconds. */
const MOMENT = 100;

/** struct sockaddr_un of a path. */
function unixAddress(path: string): Buffer {
  const name = Buffer.from(`${path}\0`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/**
 * Makes the socket, unless something is there.
 * @returns what removes it, unless something else is there by then
 * @throws Error of one line that names the call
 */
export function openUdevControl(calls: NativeCalls, path: string): () => void {
  if (existsSync(path)) return () => {};
  mkdirSync(dirname(path), { recursive: true });
  const socket = calls.bind('int socket(int domain, int type, int protocol)');
  const bind = calls.bind('int bind(int fd, const void *address, unsigned int length)');
  const listen = calls.bind('int listen(int fd, int backlog)');
  const accept = calls.bind('int accept4(int fd, void *address, void *length, int flags)');
  const shutdown = calls.bind('int shutdown(int fd, int how)');
  const fd = calls.checked('socket', socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  // The kernel lists a socket by the name that it was bound to. By udevd's, others would take it for udevd itself.
  const bound = `${path}.settle`;
  const address = unixAddress(bound);
  calls.checked(`bind ${bound}`, bind(fd, address, address.length));
  renameSync(bound, path);
  const { ino } = statSync(path);
  calls.checked('listen', listen(fd, BACKLOG));
  const next = (): void => {
    accept.async(fd, null, null, SOCK_CLOEXEC, (error: Error | null, client: number) => {
      if (error || client < 0) return closeSync(fd);
      setTimeout(() => closeSync(client), MOMENT);
      next();
    });
  };
  next();
  return () => {
    // Whoever waits in accept(2) returns, and closes.
    shutdown(fd, SHUT_RDWR);
    if (statSync(path, { throwIfNoEntry: false })?.ino === ino) unlinkSync(path);
  };
}
