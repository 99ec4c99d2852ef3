/**
 * Symbolic arguments of the recordings as numbers (x86-64): open flags, whence, ioctl requests.
 * @module
 */

const openFlags: Readonly<Record<string, number>> = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_ACCMODE3: 3,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DSYNC: 0o10000,
  O_DIRECT: 0o40000,
  O_DIRECTORY: 0o200000,
  O_NOFOLLOW: 0o400000,
  O_NOATIME: 0o1000000,
  O_CLOEXEC: 0o2000000,
  O_SYNC: 0o4010000,
  O_PATH: 0o10000000,
  O_TMPFILE: 0o20200000,
};

export const O_RDONLY = openFlags.O_RDONLY!;
export const O_WRONLY = openFlags.O_WRONLY!;
export const O_DIRECTORY = openFlags.O_DIRECTORY!;
export const O_NONBLOCK = openFlags.O_NONBLOCK!;
export const O_CREAT = openFlags.O_CREAT!;
export const O_TRUNC = openFlags.O_TRUNC!;

const lookUp = (table: Readonly<Record<string, number>>, name: string): number => {
  const value = table[name] ?? Number(name);
  if (Number.isNaN(value)) throw new RangeError(`${name} is not known to the replayer`);
  return value;
};

/** `O_WRONLY|O_TRUNC`, or a number as the recorder passed it. */
export function parseOpenFlags(flags: unknown): number {
  if (typeof flags === 'number') return flags;
  return String(flags)
    .split('|')
    .reduce((all, name) => all | lookUp(openFlags, name), 0);
}

const whences: Readonly<Record<string, number>> = {
  SEEK_SET: 0,
  SEEK_CUR: 1,
  SEEK_END: 2,
  SEEK_DATA: 3,
  SEEK_HOLE: 4,
};

export function parseWhence(whence: unknown): number {
  return lookUp(whences, String(whence));
}

/** _IO(';', 100 + n), include/uapi/linux/vfio.h. */
const vfio = (n: number): number => 0x3b64 + n;

const requests: Readonly<Record<string, number>> = {
  TCGETS: 0x5401,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  FIONCLEX: 0x5450,
  FIOQSIZE: 0x5460,
  FIBMAP: 1,
  FIGETBSZ: 2,
  FICLONE: 0x40049409,
  FS_IOC_GETFLAGS: 0x80086601,
  FS_IOC_FIEMAP: 0xc020660b,
  unknown: 0x12345678,
  KVM_CREATE_VM: 0xae01,
  VFIO_GET_API_VERSION: vfio(0),
  VFIO_CHECK_EXTENSION: vfio(1),
  VFIO_SET_IOMMU: vfio(2),
  VFIO_GROUP_GET_STATUS: vfio(3),
  VFIO_GROUP_SET_CONTAINER: vfio(4),
  VFIO_GROUP_UNSET_CONTAINER: vfio(5),
  VFIO_GROUP_GET_DEVICE_FD: vfio(6),
  VFIO_DEVICE_GET_INFO: vfio(7),
  VFIO_DEVICE_GET_REGION_INFO: vfio(8),
  VFIO_DEVICE_GET_IRQ_INFO: vfio(9),
  VFIO_DEVICE_SET_IRQS: vfio(10),
  VFIO_DEVICE_RESET: vfio(11),
  VFIO_IOMMU_GET_INFO: vfio(12),
  VFIO_IOMMU_MAP_DMA: vfio(13),
  VFIO_IOMMU_UNMAP_DMA: vfio(14),
  VFIO_DEVICE_QUERY_GFX_PLANE: vfio(14),
  VFIO_DEVICE_GET_GFX_DMABUF: vfio(15),
};

export function parseRequest(request: unknown): number {
  return typeof request === 'number' ? request : lookUp(requests, String(request));
}
