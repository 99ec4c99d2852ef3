/**
 * Numbers and layouts of include/uapi/linux/kvm.h, as far as they concern devices of a VM. All integers are little endian.
 * @module
 */

export const KVM_API_VERSION = 12;

/** On /dev/kvm. */
export const KVM_GET_API_VERSION = 0xae00;
export const KVM_CREATE_VM = 0xae01;
export const KVM_GET_VCPU_MMAP_SIZE = 0xae04;
/** On /dev/kvm and on a VM. */
export const KVM_CHECK_EXTENSION = 0xae03;
/** On a VM. */
export const KVM_CREATE_SPAPR_TCE_64 = 0x4020aea8;
export const KVM_CREATE_DEVICE = 0xc00caee0;
/** On a device of a VM, and on /dev/kvm of x86. */
export const KVM_SET_DEVICE_ATTR = 0x4018aee1;
export const KVM_GET_DEVICE_ATTR = 0x4018aee2;
export const KVM_HAS_DEVICE_ATTR = 0x4018aee3;

export const KVM_CAP_USER_MEMORY = 3;
export const KVM_CAP_SPAPR_TCE = 63;
export const KVM_CAP_DEVICE_CTRL = 89;
export const KVM_CAP_SPAPR_TCE_64 = 121;

/** struct kvm_create_device: type, fd, flags. */
export const CREATE_DEVICE_SIZE = 12;
export const KVM_CREATE_DEVICE_TEST = 1;
export const KVM_DEV_TYPE_VFIO = 4;

/** struct kvm_device_attr: flags, group, attr (64), addr (64). */
export const DEVICE_ATTR_SIZE = 24;

export interface KvmDeviceAttr {
  group: number;
  attr: bigint;
  /** Address of the attribute's data. */
  addr: bigint;
}

export function decodeDeviceAttr(arg: { read(length: number): Buffer }): KvmDeviceAttr {
  const bytes = arg.read(DEVICE_ATTR_SIZE);
  return { group: bytes.readUInt32LE(4), attr: bytes.readBigUInt64LE(8), addr: bytes.readBigUInt64LE(16) };
}

/** Of the VFIO device. GROUP is the older name of FILE. */
export const KVM_DEV_VFIO_FILE = 1;
export const KVM_DEV_VFIO_FILE_ADD = 1n;
export const KVM_DEV_VFIO_FILE_DEL = 2n;
export const KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE = 3n;

/** struct kvm_vfio_spapr_tce: groupfd, tablefd. */
export const VFIO_SPAPR_TCE_SIZE = 8;

/** Of /dev/kvm: features that a guest may save with XSAVE, 64 bits. */
export const KVM_X86_XCOMP_GUEST_SUPP = 0n;

/** struct kvm_create_spapr_tce_64: liobn (64), page_shift, flags, offset (64), size (64). */
export const CREATE_SPAPR_TCE_64_SIZE = 32;
