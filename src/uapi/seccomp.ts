/**
 * Notifications of a seccomp listener (include/uapi/linux/seccomp.h `struct seccomp_notif`, `seccomp_notif_resp`,
 * `seccomp_notif_addfd`), little endian, with the requests of the listener's descriptor.
 * @module
 */

export const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
export const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102;
export const SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103;

/** The call goes on in the kernel as if nobody had held it. */
export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
/** The new descriptor takes the place of another. */
export const SECCOMP_ADDFD_FLAG_SETFD = 1;

export const SECCOMP_NOTIF_SIZE = 80;

export interface SeccompNotif {
  readonly id: bigint;
  /** The thread that waits; 0 when it is in a PID namespace that cannot be seen from here. */
  readonly thread: number;
  /** Number of the system call. */
  readonly nr: number;
  readonly args: readonly bigint[];
}

export function decodeSeccompNotif(b: Buffer): SeccompNotif {
  return {
    id: b.readBigUInt64LE(0),
    thread: b.readUInt32LE(8),
    nr: b.readInt32LE(16),
    args: Array.from({ length: 6 }, (_, index) => b.readBigUInt64LE(32 + 8 * index)),
  };
}

/** @param result what the call returns, or a negative errno */
export function encodeSeccompNotifResp(id: bigint, result: number, flags = 0): Buffer {
  const b = Buffer.alloc(24);
  b.writeBigUInt64LE(id, 0);
  if (result < 0) b.writeInt32LE(result, 16);
  else b.writeBigInt64LE(BigInt(result), 8);
  b.writeUInt32LE(flags, 20);
  return b;
}

/** @param newfd number that it shall have, with SETFD */
export function encodeSeccompNotifAddfd(id: bigint, fd: number, fdFlags: number, newfd?: number): Buffer {
  const b = Buffer.alloc(24);
  b.writeBigUInt64LE(id, 0);
  b.writeUInt32LE(newfd === undefined ? 0 : SECCOMP_ADDFD_FLAG_SETFD, 8);
  b.writeUInt32LE(fd, 12);
  b.writeUInt32LE(newfd ?? 0, 16);
  b.writeUInt32LE(fdFlags, 20);
  return b;
}
