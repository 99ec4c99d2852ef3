/**
 * Sockets of NETLINK_KOBJECT_UEVENT (linux/netlink.h, lib/kobject_uevent.c). Each belongs to the network namespace of
 * the thread that opens it, for good; so does every event that is sent through it.
 *
 * * A sender to the kernel: what it writes, the kernel numbers and spreads to everybody who listens to the kernel's
 *   group in that namespace, as an event of its own (Linux 4.18). Bound to nothing, its write(2) goes to the kernel.
 * * A sender to udev's group: connected to it, its write(2) goes to whoever listens to udev.
 * * A listener.
 *
 * A descriptor is all that comes out, so that the notifier's thread can write to it too, without native calls.
 * @module
 */

import { closeSync, readSync, writeSync } from 'node:fs';
import { errnoName } from '../lib/errno.js';
import {
  AF_NETLINK,
  decodeNlmsgerr,
  decodeSockaddrNl,
  encodeSockaddrNl,
  NETLINK_KOBJECT_UEVENT,
  NLM_F_ACK,
  NLM_F_REQUEST,
  nlmsg,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCKADDR_NL_SIZE,
  UEVENT_BUFFER_SIZE,
  UeventGroup,
} from '../uapi/netlink.js';
import type { NativeCalls } from './native.js';

const EPERM = 1;
const EINVAL = 22;

/** Longer than any message of either group. */
const LONGEST_MESSAGE = 16 * 1024;

const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** Of a listener, so that it loses nothing while its output is not taken; as large as udevadm's. */
const RECEIVE_BUFFER = 128 * 1024 * 1024;

/** The way out that every failure of this kind ends with. */
const NEEDS =
  'it takes CAP_SYS_ADMIN in the user namespace that owns the network namespace, such as `unshare -Urn` gives';

function open(calls: NativeCalls, flags: number): number {
  const socket = calls.bind('int socket(int domain, int type, int protocol)');
  const type = SOCK_RAW | SOCK_CLOEXEC | flags;
  return calls.checked('netlink socket for uevents', socket(AF_NETLINK, type, NETLINK_KOBJECT_UEVENT));
}

function setAddress(calls: NativeCalls, call: 'bind' | 'connect', fd: number, groups: number): void {
  const native = calls.bind(`int ${call}(int fd, const void *address, unsigned int length)`);
  calls.checked(`netlink ${call}`, native(fd, encodeSockaddrNl(groups), SOCKADDR_NL_SIZE));
}

/** Opens a socket and prepares it; closes it when that fails. */
function prepared(calls: NativeCalls, flags: number, prepare: (fd: number) => void): number {
  const fd = open(calls, flags);
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * A descriptor whose write(2) sends an event to everybody who listens to the kernel in this network namespace.
 * @throws Error of one line when this process may not, or the kernel does not take events
 */
export function openKernelSender(calls: NativeCalls): number {
  return prepared(calls, SOCK_NONBLOCK, (fd) => {
    setAddress(calls, 'bind', fd, 0);
    assertMaySend(fd);
  });
}

/**
 * Looks whether the kernel would take an event, without sending one: it checks the right to send before the length,
 * and answers a message that is too long with EINVAL.
 */
function assertMaySend(fd: number): void {
  const tooLong = nlmsg(Buffer.alloc(UEVENT_BUFFER_SIZE), NLM_F_REQUEST | NLM_F_ACK);
  const answer = Buffer.alloc(LONGEST_MESSAGE);
  let errno: number | undefined;
  try {
    writeSync(fd, tooLong);
    errno = decodeNlmsgerr(answer.subarray(0, readSync(fd, answer)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      code === 'ECONNREFUSED'
        ? 'this kernel takes no uevents from programs (Linux 4.18)'
        : `netlink: ${code}`,
    );
  }
  if (errno === EPERM) throw new Error(`no right to send uevents: ${NEEDS}`);
  if (errno !== EINVAL) throw new Error(`netlink: ${errnoName(errno ?? 0)}: this kernel takes no uevents`);
}

/**
 * A descriptor whose write(2) sends a message to everybody who listens to udev in this network namespace.
 * @throws Error of one line when this process may not
 */
export function openUdevSender(calls: NativeCalls): number {
  return prepared(calls, SOCK_NONBLOCK, (fd) => {
    setAddress(calls, 'bind', fd, 0);
    try {
      setAddress(calls, 'connect', fd, UeventGroup.UDEV);
    } catch {
      throw new Error(`no right to send to udev's listeners: ${NEEDS}`);
    }
  });
}

export interface UeventListener {
  /** Waits for the next message. The thread sleeps until then. */
  receive(): { group: number; message: Buffer };
  close(): void;
}

/**
 * Listens to uevents of this network namespace.
 * @param groups mask of {@link UeventGroup}
 * @throws Error of one line that says which call is refused
 */
export function listenUevents(calls: NativeCalls, groups: number): UeventListener {
  const fd = prepared(calls, 0, (socket) => {
    const setsockopt = calls.bind(
      'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
    );
    const size = Buffer.alloc(4);
    size.writeInt32LE(RECEIVE_BUFFER);
    // Refused without CAP_NET_ADMIN; then it is as large as every socket's.
    setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length);
    setAddress(calls, 'bind', socket, groups);
  });
  const recvfrom = calls.bind(
    'int64_t recvfrom(int fd, void *buffer, size_t length, int flags, void *address, void *addressLength)',
  );
  const buffer = Buffer.alloc(LONGEST_MESSAGE);
  const from = encodeSockaddrNl();
  const fromSize = Buffer.alloc(4);
  return {
    receive() {
      for (;;) {
        fromSize.writeUInt32LE(SOCKADDR_NL_SIZE);
        const size = recvfrom(fd, buffer, buffer.length, 0, from, fromSize);
        calls.checked('netlink recvfrom', Number(size));
        const { port, groups: group } = decodeSockaddrNl(from);
        // Anybody may send to this socket alone, and only the kernel to its group.
        if (group === 0 || (group === UeventGroup.KERNEL && port !== 0)) continue;
        return { group, message: Buffer.from(buffer.subarray(0, Number(size))) };
      }
    },
    close: () => closeSync(fd),
  };
}
