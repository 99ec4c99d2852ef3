/**
 * PCI devices (drivers/pci/pci.c, probe.c): the kernel's view of a function. What a driver does to one shows in its
 * configuration space and its files: enabling, bus mastering, interrupt vectors, the width of DMA addresses.
 * @module
 */

import { deviceAttach } from '../base/dd.js';
import type { Device } from '../base/device.js';
import { NamedDevice } from '../base/named-device.js';
import { KernfsFile } from '../kernfs/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciBus } from './bus.js';
import type { PciFunction, ResetMethod } from './function.js';
import { PciRuntimePm } from './pm.js';
import {
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_SRIOV_TOTAL_VF,
} from './regs.js';
import { supportedResetMethods } from './reset.js';
import { IORESOURCE_IO, IORESOURCE_MEM } from './resource.js';
import { PciSriov } from './sriov.js';

/** Where messages go on x86: the local APIC. MSI-X has its addresses in the memory of the device. */
const MSI_ADDRESS = 0xfee00000;

/** The file that tells whether a device waits for another; it goes when a driver binds for the first time. */
export const supplierGroup = new AttributeGroup<Device>({
  attributes: [{ name: 'waiting_for_supplier', mode: 0o444, show: () => '0\n' }],
});

export type PowerState = 'D0' | 'D1' | 'D2' | 'D3hot' | 'D3cold' | 'unknown';

export class PciDevice extends NamedDevice {
  readonly function: PciFunction;
  /** Name of the only driver that may bind; undefined for no override. */
  driverOverride: string | undefined = undefined;
  /** Set when the bus is ready to have it bound. */
  matchDriver = false;
  powerState: PowerState;
  /** How often it has been enabled and not disabled again. */
  enableCount = 0;
  irq: number;
  dmaMaskBits = 32;
  numaNode: number;
  noMsi = false;
  brokenParityStatus = false;
  d3coldAllowed: boolean;
  romEnabled = false;
  resetMethods: readonly ResetMethod[];
  /** Whether it had a way to be reset when it was found. */
  readonly resettable: boolean;
  /** Interrupt numbers of its vectors, and what kind they are. */
  vectors: readonly number[] = [];
  vectorKind: 'msi' | 'msix' | undefined = undefined;
  /** Its virtual functions, on a function that can have some. */
  sriov: PciSriov | undefined = undefined;

  constructor(
    readonly pci: PciBus,
    pciFunction: PciFunction,
    parent: Device,
    readonly physfn?: PciDevice,
  ) {
    super(pci.core, pciFunction.address, { bus: pci, parent });
    this.function = pciFunction;
    const { options, config } = pciFunction;
    this.irq = options.irq;
    this.numaNode = options.numaNode;
    this.d3coldAllowed = config.findCapability(PCI_CAP_ID_PM) !== 0;
    this.powerState = 'unknown';
    this.driverOverride = options.driverOverride;
    this.resetMethods = supportedResetMethods(this);
    this.resettable = this.resetMethods.length > 0;
    this.pm = new PciRuntimePm(this);
    const sriov = config.findExtendedCapability(PCI_EXT_CAP_ID_SRIOV);
    if (sriov && config.u16(sriov + PCI_SRIOV_TOTAL_VF) > 0) this.sriov = new PciSriov(this, sriov);
    if (options.enabled) this.enable();
  }

  /** Lets drivers have it (`pci_bus_add_device`); unlike other buses' autoprobe, nothing switches this off. */
  attach(): void {
    this.matchDriver = true;
    void deviceAttach(this);
  }

  protected override platformNotify(): void {
    for (const notifier of this.pci.notifiers) notifier.added(this);
  }

  protected override platformNotifyRemove(): void {
    for (const notifier of [...this.pci.notifiers].reverse()) notifier.removed(this);
  }

  /** Follows a driver that bound or went (`pci_device_probe`, `pci_device_remove`). */
  driverChanged(bound: boolean): void {
    (this.pm as PciRuntimePm).update();
    if (bound) this.dir.removeTemplate(supplierGroup);
    // Without a driver nobody knows what state the device is left in.
    else if (this.powerState === 'D0') this.powerState = 'unknown';
  }

  /** Wakes the device and turns on its resources (`pci_enable_device`). */
  enable(): void {
    if (this.enableCount++ > 0) return;
    const { config, resources, options } = this.function;
    this.powerState = 'D0';
    this.irq = options.routedIrq ?? options.irq;
    // The memory of a virtual function is there while the physical one says so.
    if (this.physfn) return;
    const flags = resources.slice(0, 6).reduce((all, resource) => all | resource.flags, 0n);
    const io = flags & IORESOURCE_IO ? PCI_COMMAND_IO : 0;
    const memory = flags & IORESOURCE_MEM ? PCI_COMMAND_MEMORY : 0;
    config.update(PCI_COMMAND, io | memory);
  }

  /** Undoes one {@link enable}; the last one takes bus mastering (`pci_disable_device`). */
  disable(): void {
    if (--this.enableCount === 0) this.function.config.update(PCI_COMMAND, 0, PCI_COMMAND_MASTER);
  }

  setMaster(): void {
    this.function.config.update(PCI_COMMAND, PCI_COMMAND_MASTER);
  }

  /**
   * Takes interrupt vectors (`pci_alloc_irq_vectors`): MSI-X where the device has it, else MSI.
   * @throws ENOSPC when it has neither, or MSI is switched off for it
   */
  allocVectors(count: number): void {
    const { config, options } = this.function;
    const msix = config.findCapability(PCI_CAP_ID_MSIX);
    const msi = config.findCapability(PCI_CAP_ID_MSI);
    if (this.noMsi || (!msix && !msi)) throw new KernelError(Errno.ENOSPC);
    this.vectorKind = msix ? 'msix' : 'msi';
    if (msix) config.update(msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
    else config.update(msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
    config.update(PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
    this.vectors = Array.from({ length: count }, (_, index) =>
      this.pci.interrupts.alloc(options.vectors?.[index]),
    );
    if (!msix) config.setU32(msi + PCI_MSI_ADDRESS_LO, MSI_ADDRESS);
    const text = `${this.vectorKind}\n`;
    const dir = this.dir.addDir('msi_irqs');
    for (const irq of this.vectors) {
      dir.add(new KernfsFile(dir.root, String(irq), 0o444, { size: 4096, show: () => text }));
    }
  }

  freeVectors(): void {
    if (this.vectors.length === 0) return;
    const { config } = this.function;
    this.dir.removeChild('msi_irqs');
    for (const irq of this.vectors) this.pci.interrupts.free(irq);
    this.vectors = [];
    const msix = config.findCapability(PCI_CAP_ID_MSIX);
    const msi = config.findCapability(PCI_CAP_ID_MSI);
    if (this.vectorKind === 'msix') config.update(msix + PCI_MSIX_FLAGS, 0, PCI_MSIX_FLAGS_ENABLE);
    else config.update(msi + PCI_MSI_FLAGS, 0, PCI_MSI_FLAGS_ENABLE);
    config.update(PCI_COMMAND, 0, PCI_COMMAND_INTX_DISABLE);
    this.vectorKind = undefined;
  }
}
