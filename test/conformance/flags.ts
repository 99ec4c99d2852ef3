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
export const O_RDWR = openFlags.O_RDWR!;
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

const files: Readonly<Record<string, number>> = {
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
};

/** _IO(';', 100 + n), include/uapi/linux/vfio.h and iommufd.h. Some numbers have a meaning for each kind of file. */
const vfio: readonly (readonly [n: number, ...names: string[]])[] = [
  [0, 'VFIO_GET_API_VERSION'],
  [1, 'VFIO_CHECK_EXTENSION'],
  [2, 'VFIO_SET_IOMMU'],
  [3, 'VFIO_GROUP_GET_STATUS'],
  [4, 'VFIO_GROUP_SET_CONTAINER'],
  [5, 'VFIO_GROUP_UNSET_CONTAINER'],
  [6, 'VFIO_GROUP_GET_DEVICE_FD'],
  [7, 'VFIO_DEVICE_GET_INFO'],
  [8, 'VFIO_DEVICE_GET_REGION_INFO'],
  [9, 'VFIO_DEVICE_GET_IRQ_INFO'],
  [10, 'VFIO_DEVICE_SET_IRQS'],
  [11, 'VFIO_DEVICE_RESET'],
  [12, 'VFIO_IOMMU_GET_INFO', 'VFIO_DEVICE_GET_PCI_HOT_RESET_INFO', 'VFIO_IOMMU_SPAPR_TCE_GET_INFO'],
  [13, 'VFIO_IOMMU_MAP_DMA', 'VFIO_DEVICE_PCI_HOT_RESET'],
  [14, 'VFIO_IOMMU_UNMAP_DMA', 'VFIO_DEVICE_QUERY_GFX_PLANE'],
  [15, 'VFIO_IOMMU_ENABLE', 'VFIO_DEVICE_GET_GFX_DMABUF'],
  [16, 'VFIO_IOMMU_DISABLE', 'VFIO_DEVICE_IOEVENTFD'],
  [17, 'VFIO_IOMMU_DIRTY_PAGES', 'VFIO_DEVICE_FEATURE', 'VFIO_IOMMU_SPAPR_REGISTER_MEMORY'],
  [18, 'VFIO_DEVICE_BIND_IOMMUFD', 'VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY'],
  [19, 'VFIO_DEVICE_ATTACH_IOMMUFD_PT', 'VFIO_IOMMU_SPAPR_TCE_CREATE'],
  [20, 'VFIO_DEVICE_DETACH_IOMMUFD_PT', 'VFIO_IOMMU_SPAPR_TCE_REMOVE'],
  [21, 'VFIO_MIG_GET_PRECOPY_INFO'],
  [28, 'IOMMU_DESTROY'],
  [29, 'IOMMU_IOAS_ALLOC'],
  [30, 'IOMMU_IOAS_ALLOW_IOVAS'],
  [31, 'IOMMU_IOAS_COPY'],
  [32, 'IOMMU_IOAS_IOVA_RANGES'],
  [33, 'IOMMU_IOAS_MAP'],
  [34, 'IOMMU_IOAS_UNMAP'],
  [35, 'IOMMU_OPTION'],
  [36, 'IOMMU_VFIO_IOAS'],
  [37, 'IOMMU_HWPT_ALLOC'],
  [38, 'IOMMU_GET_HW_INFO'],
];

/** include/uapi/linux/kvm.h. */
const kvm: Readonly<Record<string, number>> = {
  KVM_GET_API_VERSION: 0xae00,
  KVM_CREATE_VM: 0xae01,
  KVM_CHECK_EXTENSION: 0xae03,
  KVM_CREATE_DEVICE: 0xc00caee0,
  KVM_SET_DEVICE_ATTR: 0x4018aee1,
  KVM_GET_DEVICE_ATTR: 0x4018aee2,
  KVM_HAS_DEVICE_ATTR: 0x4018aee3,
};

const requests: Readonly<Record<string, number>> = {
  ...files,
  ...Object.fromEntries(vfio.flatMap(([n, ...names]) => names.map((name) => [name, 0x3b64 + n]))),
  ...kvm,
};

/** A name, `UNKNOWN_` and hexadecimal digits, or a number. */
export function parseRequest(request: unknown): number {
  if (typeof request === 'number') return request;
  const [, digits] = /^UNKNOWN_([0-9A-F]+)$/.exec(String(request)) ?? [];
  return digits === undefined ? lookUp(requests, String(request)) : Number.parseInt(digits, 16);
}

/** The first name of a request. */
export function nameOfRequest(number: number): string | undefined {
  return Object.entries(requests).find(([, known]) => known === number)?.[0];
}
