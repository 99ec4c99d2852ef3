/**
 * Kernel configuration that shows in behaviour: which options the emulated 6.12 was built with.
 * @module
 */

export type Architecture = 'x86_64' | 'ppc64le' | 's390x' | 'aarch64';

export interface KernelProfile {
  readonly name: string;
  /** Processor that it was built for. */
  readonly arch: Architecture;
  /** CONFIG_IOMMUFD: the iommufd module and /dev/iommu. */
  readonly iommufd: boolean;
  /** CONFIG_VFIO_DEVICE_CDEV: /dev/vfio/devices/vfioN. */
  readonly vfioDeviceCdev: boolean;
  /** CONFIG_VFIO_NOIOMMU: the module parameter that allows devices without an IOMMU. */
  readonly vfioNoiommu: boolean;
  /** CONFIG_VFIO_DEBUGFS: /sys/kernel/debug/vfio. */
  readonly vfioDebugfs: boolean;
  /** Linux 6.4: devices of VFIO, not only groups, can be added to a VM, and a group needs no container. */
  readonly kvmVfioFiles: boolean;
  /** CONFIG_PM_ADVANCED_DEBUG: four more files in every power directory. */
  readonly pmAdvancedDebug: boolean;
}

export const profiles = {
  /** Everything VFIO offers. */
  full: {
    name: 'full',
    arch: 'x86_64',
    kvmVfioFiles: true,
    iommufd: true,
    vfioDeviceCdev: true,
    vfioNoiommu: true,
    vfioDebugfs: true,
    pmAdvancedDebug: false,
  },
  /** The options of Debian's stock kernel: groups and containers only. */
  deblike: {
    name: 'deblike',
    arch: 'x86_64',
    kvmVfioFiles: true,
    iommufd: false,
    vfioDeviceCdev: false,
    vfioNoiommu: false,
    vfioDebugfs: false,
    pmAdvancedDebug: true,
  },
  /** The same before Linux 6.4, when a VM could only have groups. */
  legacy: {
    name: 'legacy',
    arch: 'x86_64',
    kvmVfioFiles: false,
    iommufd: false,
    vfioDeviceCdev: false,
    vfioNoiommu: false,
    vfioDebugfs: false,
    pmAdvancedDebug: true,
  },
} as const satisfies Record<string, KernelProfile>;

export type ProfileName = keyof typeof profiles;
