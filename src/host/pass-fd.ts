/**
 * Passing a descriptor to a process that is yet to be started, by way of a socket that it inherits (SCM_RIGHTS). Unlike an
 * inherited descriptor, it is in no other process that inherits the socket on the way.
 * @module
 */

import { closeSync } from 'node:fs';
import type { NativeCalls } from './native.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

/** Offsets in one piece of memory: struct msghdr, struct iovec, a byte of data, struct cmsghdr with one descriptor. */
const IOVEC = 56;
const DATA = 72;
const CONTROL = 80;
const CONTROL_SIZE = 24;
const CONTROL_LENGTH = 20;
const CMSG_FD = CONTROL + 16;
const SIZE = CONTROL + CONTROL_SIZE;

function message(calls: NativeCalls): Buffer {
  const { address, bytes } = calls.allocate(SIZE);
  bytes.fill(0);
  const point = (at: number, to: number, count: number): void => {
    bytes.writeBigUInt64LE(address + BigInt(to), at);
    bytes.writeBigUInt64LE(BigInt(count), at + 8);
  };
  point(16, IOVEC, 1);
  point(IOVEC, DATA, 1);
  point(32, CONTROL, CONTROL_SIZE);
  return bytes;
}

/**
 * Puts a descriptor into a new socket, and closes it here.
 * @returns the other end of the socket, to be inherited
 * @throws Error that names the call and its errno
 */
export function sendFd(calls: NativeCalls, fd: number): number {
  const pair = Buffer.alloc(8);
  const socketpair = calls.bind('int socketpair(int domain, int type, int protocol, void *fds)');
  calls.checked('socketpair', socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  const [ours, theirs] = [pair.readInt32LE(0), pair.readInt32LE(4)];
  const bytes = message(calls);
  bytes.writeBigUInt64LE(BigInt(CONTROL_LENGTH), CONTROL);
  bytes.writeInt32LE(SOL_SOCKET, CONTROL + 8);
  bytes.writeInt32LE(SCM_RIGHTS, CONTROL + 12);
  bytes.writeInt32LE(fd, CMSG_FD);
  try {
    const sendmsg = calls.bind('int64_t sendmsg(int fd, void *message, int flags)');
    calls.checked('sendmsg', Number(sendmsg(ours, bytes, 0)));
  } finally {
    closeSync(ours);
    closeSync(fd);
  }
  return theirs;
}

/**
 * Takes a descriptor out of a socket, and closes the socket.
 * @throws Error that names the call and its errno, or says that there is none
 */
export function receiveFd(calls: NativeCalls, socket: number): number {
  const bytes = message(calls);
  const recvmsg = calls.bind('int64_t recvmsg(int fd, void *message, int flags)');
  try {
    calls.checked('recvmsg', Number(recvmsg(socket, bytes, MSG_CMSG_CLOEXEC)));
  } finally {
    closeSync(socket);
  }
  if (Number(bytes.readBigUInt64LE(CONTROL)) < CONTROL_LENGTH) throw new Error('no descriptor was sent');
  return bytes.readInt32LE(CMSG_FD);
}
