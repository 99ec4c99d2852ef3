/**
 * The PCI bus of a host from its fixture: host bridges, functions with what comes and goes with each, and the drivers
 * of the host.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import type { Device } from '../base/device.js';
import type { Module, ModuleDefinition } from '../base/module.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { bindPci, unbindPci } from '../pci/binding.js';
import { PciBus, type PciNotifier, pciBuiltin } from '../pci/bus.js';
import type { PciDevice } from '../pci/device.js';
import { PciDriver } from '../pci/driver.js';
import { PciFunction } from '../pci/function.js';
import { parsePciId } from '../pci/ids.js';
import { parseResource } from '../pci/resource.js';
import { pciSriovConfigureSimple } from '../pci/sriov.js';
import type { VfioDevice } from '../vfio/device.js';
import { vfioModule } from '../vfio/core.js';
import { configBytes } from './fixture-config.js';
import type { PciDriverFixture, PciFixture, PciFunctionFixture } from './fixture-pci.js';
import { addFirmwareNode, type PlainHost, type PlainTree } from './host-device.js';
import { BuiltinModule } from './host-module.js';
import { belowSys, RawNodes } from './host-node.js';
import { registerWithVfio, unregisterFromVfio, type VfioNumbers } from './host-vfio.js';

const number = (hex: string) => Number.parseInt(hex, 16);

function functionOf(description: PciFunctionFixture): PciFunction {
  const { subsystemVendor, subsystemDevice, sriov } = description;
  return new PciFunction({
    ...description,
    vendor: number(description.vendor),
    device: number(description.device),
    class: number(description.class),
    revision: number(description.revision),
    subsystemVendor: subsystemVendor === undefined ? undefined : number(subsystemVendor),
    subsystemDevice: subsystemDevice === undefined ? undefined : number(subsystemDevice),
    config: configBytes(description.config),
    resources: description.resources.map(parseResource),
    sriov: sriov && {
      ...sriov,
      vfDevice: number(sriov.vfDevice),
      capability: number(sriov.capability),
      config: configBytes(sriov.config),
    },
  });
}

/** What came with a function or with a driver's hold on it. */
interface Attached {
  nodes: RawNodes;
  devices: PlainTree[];
}

function detach({ nodes, devices }: Attached): Sleeps<void> {
  return after(
    eachInTurn([...devices].reverse(), (tree) => tree.del()),
    () => nodes.remove(),
  );
}

/** Firmware objects, wakeup sources, raw nodes and plain devices of functions. */
class Surroundings implements PciNotifier {
  readonly #attached = new Map<PciDevice, Attached>();

  constructor(
    readonly host: PlainHost,
    readonly descriptions: ReadonlyMap<string, PciFunctionFixture>,
  ) {}

  added(device: PciDevice): void {
    const description = this.descriptions.get(device.name);
    // A virtual function has none.
    if (!description) return;
    const { firmwareNode, wakeup, nodes, devices, values } = description;
    const { host } = this;
    const trees: PlainTree[] = [];
    if (firmwareNode !== undefined) {
      addFirmwareNode(device, firmwareNode);
      if (wakeup) trees.push(host.add(wakeupSource, host.device(belowSys(firmwareNode))));
    }
    trees.push(...devices.map((child) => host.add(child, device, values)));
    this.#attached.set(device, {
      nodes: new RawNodes(host.core, undefined, true).addAll(() => device.dir, nodes),
      devices: trees,
    });
  }

  removed(device: PciDevice): void {
    const attached = this.#attached.get(device);
    if (!attached) return;
    detach(attached);
    this.#attached.delete(device);
  }
}

const wakeupSource = {
  name: 'wakeup%d',
  class: 'wakeup',
  variables: [],
  power: 'default' as const,
  nodes: {},
  devices: [],
};

/** A driver of the host: does the usual to its devices, and brings what the fixture says. */
class HostPciDriver extends PciDriver {
  constructor(
    pci: PciBus,
    host: PlainHost,
    description: PciDriverFixture,
    of: FunctionFacts,
    module: Module | undefined,
  ) {
    const { binding } = description;
    super(pci, {
      name: description.name,
      module,
      ids: description.ids.map(parsePciId),
      sriovConfigure: binding.sriov ? pciSriovConfigureSimple : undefined,
      probe: (device) => {
        const { values, numbers } = of(device.name);
        const vfio = binding.vfio && registerWithVfio(module!.import(vfioModule), device, numbers);
        bindPci(device, binding);
        const texts = { ...values, address: device.name };
        device.driverData = {
          ...(vfio && { vfio }),
          nodes: new RawNodes(host.core).addAll(() => device.dir, binding.nodes),
          devices: binding.devices.map((child) => host.add(child, device, texts)),
        } satisfies Bound;
      },
      remove: (device) => {
        const bound = device.driverData as Bound;
        return after(bound.vfio && unregisterFromVfio(bound.vfio), () =>
          after(detach(bound), () => unbindPci(device, binding)),
        );
      },
    });
  }
}

/** What a driver brings to a function. */
interface Bound extends Attached {
  vfio?: VfioDevice;
}

/** What of a function its driver takes up. */
type FunctionFacts = (address: string) => { values: Record<string, string>; numbers: VfioNumbers };

/** Makes the bus, still without anything on it. */
export function makePciBus(core: DriverCore, cpus: number, description: PciFixture): PciBus {
  return new PciBus(core, {
    cpus,
    numaNodes: description.functions.map(({ numaNode }) => numaNode).filter((node) => node >= 0),
    firstVector: description.firstVector,
    writeCombining: description.writeCombining,
  }).register();
}

/** What stands on the bus of a host, and how more gets there. */
export class PciHost {
  /** Numbers that functions ask VFIO for, in place of those that they are described with. */
  readonly vfioNumbers = new Map<string, VfioNumbers>();

  /**
   * @param descriptions what functions are, by address; grows with what is inserted
   * @param notifiers told of every device, after firmware
   */
  constructor(
    readonly bus: PciBus,
    readonly host: PlainHost,
    readonly descriptions: Map<string, PciFunctionFixture>,
    notifiers: readonly PciNotifier[],
  ) {
    bus.notifiers.push(new Surroundings(host, descriptions), ...notifiers);
  }

  /**
   * Adds host bridges, functions, which a scan finds, and drivers.
   * @returns drivers that are modules
   */
  add({ roots, functions, drivers }: PciFixture): Sleeps<ModuleDefinition[]> {
    const { bus } = this;
    this.addRoots(roots);
    for (const { numaNode } of functions) if (numaNode >= 0) bus.numaNodes.add(numaNode);
    this.insert(functions);
    return after(bus.rescanLocked(), () => this.addDrivers(drivers));
  }

  addRoots(roots: PciFixture['roots']): void {
    for (const { bus: name, firmwareNode, parent, devices } of roots) {
      const top: KernfsDir | undefined =
        parent === undefined ? undefined : this.host.device(belowSys(parent)).dir;
      const root: Device = this.bus.addRoot(name, top);
      if (firmwareNode !== undefined) addFirmwareNode(root, firmwareNode);
      for (const child of devices) this.host.add(child, root);
    }
  }

  /** Puts functions into their slots; a rescan finds them. */
  insert(functions: readonly PciFunctionFixture[]): void {
    for (const each of functions) {
      this.descriptions.set(each.address, each);
      this.bus.insert(functionOf(each));
    }
  }

  /**
   * Adds drivers. Those that are part of the kernel bind at once.
   * @returns drivers that are modules
   */
  addDrivers(drivers: readonly PciDriverFixture[]): ModuleDefinition[] {
    const { bus, host } = this;
    const of: FunctionFacts = (address) => ({
      values: this.descriptions.get(address)?.values ?? {},
      numbers: this.vfioNumbers.get(address) ?? this.descriptions.get(address) ?? {},
    });
    const modules: ModuleDefinition[] = [];
    for (const driver of drivers) {
      const { module: name, builtin } = driver;
      if (name !== undefined && !builtin) modules.push(driverModule(name, host, driver, of));
      else {
        const module = name === undefined ? undefined : BuiltinModule.named(host.core, name);
        new HostPciDriver(bus, host, driver, of, module).register();
      }
    }
    return modules;
  }
}

function driverModule(
  name: string,
  host: PlainHost,
  driver: PciDriverFixture,
  of: FunctionFacts,
): ModuleDefinition<PciDriver> {
  return {
    name,
    depends: driver.binding.vfio ? [vfioModule] : [],
    init: (module) => {
      const bus = module.import(pciBuiltin);
      return new HostPciDriver(bus, host, driver, of, module).register() as PciDriver;
    },
    exit: (registered) => registered.unregister(),
  };
}
