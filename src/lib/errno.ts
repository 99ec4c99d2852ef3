/**
 * Error numbers of Linux on x86-64 (include/uapi/asm-generic/errno*.h) and the one exception the model throws.
 *
 * The model reports a failure as a kernel function does, by its errno; one place per transport turns a
 * {@link KernelError} into a FUSE or ioctl result. Anything else that is thrown is a bug of the emulation.
 * @module
 */

export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  ETIME: 62,
  EPROTO: 71,
  EOVERFLOW: 75,
  EBADFD: 77,
  EUSERS: 87,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EREMOTEIO: 121,
  ECANCELED: 125,
} as const;

export type ErrnoName = keyof typeof Errno;

const names = new Map<number, ErrnoName>(
  Object.entries(Errno).map(([name, value]) => [value, name as ErrnoName]),
);

/** The symbolic name of an errno, or its decimal number where it has none here. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? String(errno);
}

/** What a kernel function returns as `-errno`. */
export class KernelError extends Error {
  override readonly name = 'KernelError';

  /**
   * @param errno a positive error number of {@link Errno}
   */
  constructor(readonly errno: number) {
    super(errnoName(errno));
  }

  get code(): string {
    return errnoName(this.errno);
  }
}
