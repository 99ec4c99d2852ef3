/**
 * Virtual functions (drivers/pci/iov.c): a physical function whose driver agrees makes as many as are written to
 * `sriov_numvfs`. They are functions like others, but come and go together, and have their ids and memory from the
 * physical one.
 *
 * Differs: all stand on the bus of the physical function. Its removal takes them along, also when its driver would
 * have left them, and those that were removed one by one leave no links behind.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import { Errno, KernelError } from '../lib/errno.js';
import { kstrtobool, kstrtoint, kstrtoull } from '../lib/kstrtox.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciDevice } from './device.js';
import type { PciDriver } from './driver.js';
import {
  PCI_CAP_ID_EXP,
  PCI_EXP_DEVCTL2,
  PCI_EXP_DEVCTL2_ARI,
  PCI_SRIOV_CTRL,
  PCI_SRIOV_CTRL_ARI,
  PCI_SRIOV_CTRL_MSE,
  PCI_SRIOV_CTRL_VFE,
  PCI_SRIOV_NUM_VF,
  PCI_SRIOV_TOTAL_VF,
  PCI_SRIOV_VF_DID,
  PCI_SRIOV_VF_OFFSET,
  PCI_SRIOV_VF_STRIDE,
} from './regs.js';

/** What a physical function has of virtual ones. */
export class PciSriov {
  numVfs = 0;
  driversAutoprobe = true;
  readonly #virtual: PciDevice[] = [];

  /** @param capability where it stands in configuration space */
  constructor(
    readonly device: PciDevice,
    readonly capability: number,
  ) {
    // Whatever there was before the kernel found the function is gone.
    const { config } = device.function;
    config.setU16(capability + PCI_SRIOV_CTRL, ariEnabled(device) ? PCI_SRIOV_CTRL_ARI : 0);
    config.setU16(capability + PCI_SRIOV_NUM_VF, 0);
  }

  #u16(register: number): number {
    return this.device.function.config.u16(this.capability + register);
  }

  get totalVfs(): number {
    return this.#u16(PCI_SRIOV_TOTAL_VF);
  }

  get offset(): number {
    return this.#u16(PCI_SRIOV_VF_OFFSET);
  }

  get stride(): number {
    return this.#u16(PCI_SRIOV_VF_STRIDE);
  }

  get vfDevice(): number {
    return this.#u16(PCI_SRIOV_VF_DID);
  }

  /** The virtual functions that there are. */
  get virtual(): readonly PciDevice[] {
    return this.#virtual;
  }

  /**
   * Makes virtual functions (`pci_enable_sriov`).
   * @throws ENOMEM when their numbers do not fit on the bus
   */
  enable(count: number): void {
    const { device, capability } = this;
    const { config } = device.function;
    const last = device.function.devfn + this.offset + this.stride * (count - 1);
    if (last > 0xff) {
      devPrint(device, `can't enable ${count} VFs`);
      throw new KernelError(Errno.ENOMEM);
    }
    config.setU16(capability + PCI_SRIOV_NUM_VF, count);
    config.update(capability + PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
    for (let index = 0; index < count; index++) this.#add(index);
    device.uevent('change');
    this.numVfs = count;
  }

  #add(index: number): void {
    const { device } = this;
    const virtual = device.pci.addVirtual(device, index);
    this.#virtual.push(virtual);
    device.dir.addLink(`virtfn${index}`, virtual.dir);
    virtual.dir.addLink('physfn', device.dir);
    virtual.uevent('change');
    virtual.attach();
  }

  /** Takes them away again (`pci_disable_sriov`); sleeps while a driver does. */
  disable(): Sleeps<void> {
    const { device, capability } = this;
    const each = [...this.#virtual.entries()];
    const removed = eachInTurn(each, ([index, virtual]) => {
      device.dir.removeChild(`virtfn${index}`);
      if (device.pci.device(virtual.name) === virtual) {
        virtual.dir.removeChild('physfn');
        return device.pci.stopAndRemove(virtual);
      }
    });
    return after(removed, () => {
      this.#virtual.length = 0;
      const { config } = device.function;
      config.update(capability + PCI_SRIOV_CTRL, 0, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
      config.setU16(capability + PCI_SRIOV_NUM_VF, 0);
      this.numVfs = 0;
    });
  }
}

/** What a driver that needs no more does to change the number (`pci_sriov_configure_simple`). */
export function pciSriovConfigureSimple(device: PciDevice, count: number): Sleeps<void> {
  return count === 0 ? device.sriov!.disable() : device.sriov!.enable(count);
}

/** Whether functions on the bus of a device have numbers of 8 bits: the bridge above is told so. */
export function ariEnabled(device: PciDevice): boolean {
  const config = device.pci.bridgeAbove(device)?.function.config;
  const express = config?.findCapability(PCI_CAP_ID_EXP);
  return !!express && (config!.u16(express + PCI_EXP_DEVCTL2) & PCI_EXP_DEVCTL2_ARI) !== 0;
}

const configureOf = ({ driver }: PciDevice) => (driver as PciDriver | undefined)?.sriovConfigure;

/** @throws EINVAL for what is no number of 16 bits */
function parseCount(text: string): number {
  try {
    const count = kstrtoull(text);
    if (count <= 0xffffn) return Number(count);
  } catch {}
  throw new KernelError(Errno.EINVAL);
}

/**
 * @throws EINVAL for what is no number; ERANGE for more than there can be
 * @throws ENOENT without a driver that can do it; EBUSY for another number while there are some
 */
function numVfsStore(device: PciDevice, text: string): Sleeps<void> {
  const sriov = device.sriov!;
  const count = parseCount(text);
  if (count > sriov.totalVfs) throw new KernelError(Errno.ERANGE);
  return device.locked(() => {
    if (count === sriov.numVfs) return;
    const configure = configureOf(device);
    if (!configure) {
      const why = device.driver
        ? 'driver does not support SR-IOV configuration via sysfs'
        : 'no driver bound to device; cannot configure SR-IOV';
      devPrint(device, why);
      throw new KernelError(Errno.ENOENT);
    }
    if (count > 0 && sriov.numVfs > 0) {
      const already = `${sriov.numVfs} VFs already enabled.`;
      devPrint(device, `${already} Disable before enabling ${count} VFs`);
      throw new KernelError(Errno.EBUSY);
    }
    return device.pci.holdRescanRemove(() => configure(device, count));
  });
}

/** @throws EINVAL for a number below 0; EOPNOTSUPP, since no driver here can change it */
function msixCountStore(text: string): void {
  let count = -1;
  try {
    count = kstrtoint(text);
  } catch {}
  throw new KernelError(count < 0 ? Errno.EINVAL : Errno.EOPNOTSUPP);
}

function autoprobeStore(device: PciDevice, text: string): void {
  device.sriov!.driversAutoprobe = kstrtobool(text);
}

export const sriovPhysicalGroup = new AttributeGroup<PciDevice>({
  attributes: [
    { name: 'sriov_totalvfs', mode: 0o444, show: ({ sriov }) => `${sriov!.totalVfs}\n` },
    { name: 'sriov_numvfs', mode: 0o644, show: ({ sriov }) => `${sriov!.numVfs}\n`, store: numVfsStore },
    { name: 'sriov_offset', mode: 0o444, show: ({ sriov }) => `${sriov!.offset}\n` },
    { name: 'sriov_stride', mode: 0o444, show: ({ sriov }) => `${sriov!.stride}\n` },
    { name: 'sriov_vf_device', mode: 0o444, show: ({ sriov }) => `${sriov!.vfDevice.toString(16)}\n` },
    {
      name: 'sriov_drivers_autoprobe',
      mode: 0o644,
      show: ({ sriov }) => (sriov!.driversAutoprobe ? '1\n' : '0\n'),
      store: autoprobeStore,
    },
    {
      name: 'sriov_vf_total_msix',
      mode: 0o444,
      show: (device) => `${configureOf(device) ? (device.function.options.sriov?.totalMsix ?? 0) : 0}\n`,
    },
  ],
  isVisible: ({ sriov }) => sriov !== undefined,
});

export const sriovVirtualGroup = new AttributeGroup<PciDevice>({
  attributes: [{ name: 'sriov_vf_msix_count', mode: 0o200, store: (_device, text) => msixCountStore(text) }],
  isVisible: ({ physfn }) => physfn !== undefined,
});
