/**
 * The PCI bus (drivers/pci/pci-driver.c, probe.c, remove.c): the functions that are in their slots, the devices that
 * the kernel made of them, and the two ways between: a scan finds a function, a removal forgets the device.
 * @module
 */

import { builtin } from '../base/builtin.js';
import { Bus } from '../base/bus.js';
import { DeviceClass } from '../base/class.js';
import type { DriverCore } from '../base/core.js';
import { deviceDetach } from '../base/dd.js';
import type { Device } from '../base/device.js';
import { NamedDevice } from '../base/named-device.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { cstring, kstrtoull } from '../lib/kstrtox.js';
import { after, eachInTurn, Mutex, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import { PciDevice } from './device.js';
import type { PciDriver } from './driver.js';
import type { PciFunction } from './function.js';
import { InterruptNumbers } from './irq.js';
import { PCI_CLASS_DISPLAY_VGA } from './regs.js';
import { PciSegment, pciBusGroup } from './segment.js';
import { pciDeviceGroup, pciResetGroup, pciUevent } from './sysfs.js';
import { pciBinGroup } from './sysfs-bin.js';
import { sriovPhysicalGroup, sriovVirtualGroup } from './sriov.js';
import { virtualFunction } from './sriov-function.js';
import { aspmGroup, pcieGroup } from './sysfs-link.js';

export interface PciBusOptions {
  /** Number of processors. */
  cpus: number;
  /** NUMA nodes that are online. */
  numaNodes?: Iterable<number>;
  /** Lowest interrupt number of a vector. */
  firstVector?: number;
  /** Whether prefetchable memory can be mapped for write combining. */
  writeCombining?: boolean;
}

/** Who wants to know of devices before they are announced: firmware, IOMMU. */
export interface PciNotifier {
  added(device: PciDevice): void;
  removed(device: PciDevice): void;
}

const PAGE_SIZE = 4096;

const busGroup = new AttributeGroup<PciBus>({
  attributes: [
    {
      name: 'rescan',
      mode: 0o200,
      store: (bus, text) => (kstrtoull(text) === 0n ? undefined : bus.rescanLocked()),
    },
    {
      name: 'resource_alignment',
      mode: 0o644,
      show: (bus) => (bus.resourceAlignment === '' ? '' : `${bus.resourceAlignment}\n`),
      store: (bus, text) => {
        if (text.length >= PAGE_SIZE - 1) throw new KernelError(Errno.EINVAL);
        bus.resourceAlignment = cstring(text).split('\n')[0] ?? '';
      },
    },
  ],
});

export class PciBus extends Bus {
  readonly cpus: number;
  readonly numaNodes: Set<number>;
  readonly writeCombining: boolean;
  readonly interrupts: InterruptNumbers;
  readonly notifiers: PciNotifier[] = [];
  /** What is in the slots, in the order in which a scan comes by. */
  readonly functions: PciFunction[] = [];
  resourceAlignment = '';
  readonly #class: DeviceClass;
  /** The buses below host bridges and bridges, by `DOMAIN:BUS`. */
  readonly #segments = new Map<string, PciSegment>();
  readonly #rootBuses = new Set<string>();
  /** Held while devices come or go (`pci_lock_rescan_remove`). */
  readonly #rescanRemove = new Mutex();

  constructor(core: DriverCore, options: PciBusOptions) {
    super(core, 'pci', {
      groups: [busGroup],
      devGroups: [
        pciDeviceGroup,
        pciResetGroup,
        pciBinGroup,
        pcieGroup,
        aspmGroup,
        sriovPhysicalGroup,
        sriovVirtualGroup,
      ],
      match: (device, driver) => (driver as PciDriver).matches(device as PciDevice),
      probe: (device) => {
        const { physfn, driverOverride } = device as PciDevice;
        if (physfn?.sriov?.driversAutoprobe === false && driverOverride === undefined) {
          throw new KernelError(Errno.ENODEV);
        }
        device.driver!.options.probe?.(device);
        (device as PciDevice).driverChanged(true);
      },
      remove: (device) =>
        after(device.driver!.options.remove?.(device), () => (device as PciDevice).driverChanged(false)),
      uevent: (device) => pciUevent(device as PciDevice),
    });
    this.cpus = options.cpus;
    this.numaNodes = new Set([0, ...(options.numaNodes ?? [])]);
    this.writeCombining = options.writeCombining ?? true;
    this.interrupts = new InterruptNumbers(options.firstVector ?? 24);
    this.#class = new DeviceClass(core, 'pci_bus', { groups: [pciBusGroup] }).register();
  }

  override register(): this {
    super.register();
    this.dir.addDir('slots');
    return this;
  }

  /** The display that the firmware started with. */
  get bootVga(): PciFunction | undefined {
    return this.functions.find(({ config }) => config.class >> 8 === PCI_CLASS_DISPLAY_VGA);
  }

  isRootBus(bus: string): boolean {
    return this.#rootBuses.has(bus);
  }

  /** The bridge between a device and the bus above. */
  bridgeAbove(device: PciDevice): PciDevice | undefined {
    return device.parent instanceof PciDevice ? device.parent : undefined;
  }

  device(address: string): PciDevice | undefined {
    return this.devices.get(address) as PciDevice | undefined;
  }

  /**
   * Adds a host bridge with its root bus.
   * @param bus `DOMAIN:BUS`
   * @param top directory it stands in; /sys/devices without it
   */
  addRoot(bus: string, top?: KernfsDir): Device {
    const root = new NamedDevice(this.core, `pci${bus}`, top ? { top } : {});
    root.add();
    this.#rootBuses.add(bus);
    this.#addSegment(bus, root);
    return root;
  }

  /** Whether there is a bus `DOMAIN:BUS` on which a function could be found. */
  hasBus(bus: string): boolean {
    return this.#segments.has(bus);
  }

  /** Puts a function into its slot. The kernel knows of it after the next {@link rescan}. */
  insert(pciFunction: PciFunction): void {
    this.functions.push(pciFunction);
  }

  /**
   * Takes a function out of its slot, and what is behind it when it is a bridge.
   * @returns the functions that are out, in the order of a scan; the kernel may still have their devices
   */
  eject(address: string): PciFunction[] {
    const out = new Set<PciFunction>();
    const buses = new Set<string>();
    for (const each of this.functions) {
      if (each.address !== address && !buses.has(each.bus)) continue;
      out.add(each);
      if (each.secondaryBus !== undefined) buses.add(each.secondaryBus);
    }
    this.functions.splice(0, this.functions.length, ...this.functions.filter((each) => !out.has(each)));
    return [...out];
  }

  /** Finds what is new in the slots and lets drivers have it (`pci_rescan_bus`). */
  rescan(): void {
    const found: PciDevice[] = [];
    for (const pciFunction of this.functions) {
      const segment = this.#segments.get(pciFunction.bus);
      if (!segment || this.devices.has(pciFunction.address)) continue;
      const device = new PciDevice(this, pciFunction, segment.parent!);
      device.add();
      found.push(device);
      if (pciFunction.secondaryBus !== undefined) this.#addSegment(pciFunction.secondaryBus, device);
    }
    for (const device of found) device.attach();
  }

  rescanLocked(): Sleeps<void> {
    return this.holdRescanRemove(() => this.rescan());
  }

  /** Runs what makes devices come or go, in turn with others that do. */
  holdRescanRemove(body: () => Sleeps<void>): Sleeps<void> {
    return this.#rescanRemove.hold(body);
  }

  /** Adds a virtual function, still without its links and a driver. */
  addVirtual(physfn: PciDevice, index: number): PciDevice {
    const device = new PciDevice(this, virtualFunction(physfn.sriov!, index), physfn.parent!, physfn);
    device.add();
    return device;
  }

  stopAndRemoveLocked(device: PciDevice): Sleeps<void> {
    return this.holdRescanRemove(() => this.stopAndRemove(device));
  }

  /**
   * Takes a device and everything below it from the kernel (`pci_stop_and_remove_bus_device`): all are unbound first,
   * the deepest first, then all are deleted. Sleeps while a driver does.
   */
  stopAndRemove(device: PciDevice): Sleeps<void> {
    const deepestFirst = [...new Set(this.#withAllBelow(device))].reverse();
    return after(eachInTurn(deepestFirst, deviceDetach), () =>
      eachInTurn(deepestFirst, (gone) => {
        const bus = this.#busBelow(gone);
        return after(bus === undefined ? undefined : this.#removeSegment(bus), () => gone.del());
      }),
    );
  }

  #withAllBelow(device: PciDevice): PciDevice[] {
    const bus = this.#busBelow(device);
    const below = [...this.devices.values()].filter(
      (other) => bus !== undefined && (other as PciDevice).function.bus === bus,
    );
    const virtual = (device.sriov?.virtual ?? []).filter((other) => this.devices.has(other.name));
    return [device, ...virtual, ...below.flatMap((other) => this.#withAllBelow(other as PciDevice))];
  }

  /**
   * The bus that was found behind a bridge (`pci_dev.subordinate`). Its number in configuration space may have been written
   * to since, and means nothing before the next scan finds the bridge anew.
   */
  #busBelow(bridge: Device): string | undefined {
    for (const [bus, { parent }] of this.#segments) if (parent === bridge) return bus;
    return undefined;
  }

  #addSegment(bus: string, above: Device): void {
    const segment = new PciSegment(this, this.#class, bus, above);
    segment.add();
    this.#segments.set(bus, segment);
  }

  #removeSegment(bus: string): Sleeps<void> {
    const segment = this.#segments.get(bus);
    this.#segments.delete(bus);
    return segment?.del();
  }
}

/** How modules find the PCI bus. */
export const pciBuiltin = builtin<PciBus>('pci');
