/**
 * The control socket of udevd, `/run/udev/control`, where no udevd runs. Clients of udev look whether it is there before
 * they listen. `udevadm settle` connects, and waits until the connection is closed: here when all listeners have read
 * what was sent to them, and had a moment to take it in. libvirt, for one, looks for a new device once settle has
 * returned, and again only five seconds later.
 * @module
 */

import { closeSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { NETLINK_KOBJECT_UEVENT, UeventGroup } from '../uapi/netlink.js';
import type { NativeCalls } from './native.js';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SHUT_RDWR = 2;
const BACKLOG = 64;
/** Milliseconds between the last event that is read and the end of settle. */
const MOMENT = 100;
/** Milliseconds between two looks at what is unread, and after which a listener that reads nothing holds up nobody. */
const LOOK_AGAIN = 10;
const GIVE_UP = 5_000;

/** struct sockaddr_un of a path. */
function unixAddress(path: string): Buffer {
  const name = Buffer.from(`${path}\0`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/** Whether somebody in this network namespace who listens to udev has events to read. */
function unread(): boolean {
  const sockets = readFileSync('/proc/self/net/netlink', 'latin1').split('\n');
  return sockets.some((line) => {
    const [, protocol, , groups, queued] = line.split(/ +/);
    const listens =
      Number(protocol) === NETLINK_KOBJECT_UEVENT && Number.parseInt(groups!, 16) & UeventGroup.UDEV;
    return listens && queued !== '0';
  });
}

/** Closes a connection when nothing is unread, and a moment has passed. */
function settle(client: number, patience = GIVE_UP): void {
  if (patience > 0 && unread()) setTimeout(settle, LOOK_AGAIN, client, patience - LOOK_AGAIN);
  else setTimeout(closeSync, MOMENT, client);
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
      settle(client);
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
