/**
 * The hardware of a machine with the drivers that are part of the kernel: everything that is there before a module is
 * loaded. A fixture brings it at boot, and others while the machine runs.
 *
 * The PCI bus, other buses and classes come first, then devices, the IOMMU, what is on the PCI bus, and raw nodes last,
 * so that they can add to what the others made.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import type { ModuleDefinition } from '../base/module.js';
import { ApBus } from '../drivers/ap-bus.js';
import { ChannelSubsystem } from '../drivers/css.js';
import { vfioApModule } from '../drivers/vfio-ap.js';
import { vfioCcwModule } from '../drivers/vfio-ccw.js';
import { vgpuModule } from '../drivers/vgpu.js';
import type { Iommu } from '../iommu/group.js';
import { KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { PciBus } from '../pci/bus.js';
import { type Fixture, FixtureError } from './fixture.js';
import type { PciFunctionFixture } from './fixture-pci.js';
import { formatPath, type Path } from './fixture-fault.js';
import { apData } from './fixture-s390.js';
import { PlainHost } from './host-device.js';
import { HostIommu } from './host-iommu.js';
import { BuiltinModule } from './host-module.js';
import { belowSys, RawNodes } from './host-node.js';
import { makePciBus, PciHost } from './host-pci.js';

/** What of a fixture is hardware. */
export type Hardware = Pick<
  Fixture,
  | 'cpus'
  | 'builtinModules'
  | 'buses'
  | 'classes'
  | 'devices'
  | 'nodes'
  | 'iommu'
  | 'pci'
  | 'ap'
  | 'css'
  | 'vgpus'
>;

/** A fixture that came while the machine ran. */
export interface PluggedFixture {
  /** What is added to the numbers by which its functions name IOMMU groups. */
  groups: number;
  /** Without functions, subchannels, modules, devices and rules, which come and go by themselves. */
  fixture: Fixture;
}

/** Between the numbers by which the functions of two fixtures name their IOMMU groups. */
const GROUPS_APART = 2 ** 20;

export class Host {
  /** What stands on the PCI bus; undefined on a host without one. */
  pciHost: PciHost | undefined = undefined;
  ap: ApBus | undefined = undefined;
  css: ChannelSubsystem | undefined = undefined;
  readonly plain: PlainHost;
  /** PCI functions by address, those that are unplugged too. */
  readonly functions = new Map<string, PciFunctionFixture>();
  /** Vendor drivers by their modules. */
  readonly vgpus = new Map<string, Fixture['vgpus'][number]>();
  readonly iommu: HostIommu;
  /** What it booted with. */
  booted: { functions: ReadonlyMap<string, PciFunctionFixture>; subchannels: ReadonlySet<string> } = {
    functions: new Map(),
    subchannels: new Set(),
  };
  /** What was plugged in, beside what comes and goes by itself. */
  plugged: readonly PluggedFixture[] = [];

  constructor(
    readonly core: DriverCore,
    iommu: Iommu,
  ) {
    this.plain = new PlainHost(core);
    this.iommu = new HostIommu(this.plain, iommu, (address) => this.functions.get(address) ?? {});
  }

  /** For modules, as `pciBuiltin`. */
  get pci(): PciBus | undefined {
    return this.pciHost?.bus;
  }

  /**
   * Makes what a machine boots with. IOMMU groups have their numbers.
   * @returns modules: vendor drivers, and drivers of the host that are not part of the kernel
   * @throws FixtureError naming the place of the fixture that cannot be built, such as a node where there is one
   */
  boot(hardware: Hardware): Sleeps<readonly ModuleDefinition[]> {
    return after(
      this.#add(hardware, () => this.iommu.boot(hardware.iommu)),
      (modules) => {
        const subchannels = new Set(hardware.css?.subchannels.map(({ id }) => id));
        this.booted = { functions: new Map(this.functions), subchannels };
        return modules;
      },
    );
  }

  /** Numbers for groups that no fixture has taken. */
  get nextGroups(): number {
    return (this.plugged.at(-1)?.groups ?? 0) + GROUPS_APART;
  }

  /**
   * Makes more while the machine runs. IOMMU groups are new ones, with their numbers if those are free.
   * @param offset of the numbers by which its functions name groups
   */
  plug(hardware: Hardware, offset = this.nextGroups): Sleeps<readonly ModuleDefinition[]> {
    const functions = hardware.pci?.functions.map((each) =>
      each.iommuGroup === undefined ? each : { ...each, iommuGroup: offset + each.iommuGroup },
    );
    const pci = hardware.pci && { ...hardware.pci, functions: functions! };
    return this.#add({ ...hardware, pci }, () => this.iommu.describe(hardware.iommu, offset));
  }

  /** Remembers a fixture, in place of what was the same and is used no more. */
  remember(fixture: Fixture): void {
    const later = { groups: this.nextGroups, fixture: lastingPart(fixture) };
    const text = JSON.stringify(later.fixture);
    const isUsed = (from: number) =>
      [...this.functions.values()].some(
        ({ iommuGroup = -1 }) => iommuGroup >= from && iommuGroup < from + GROUPS_APART,
      );
    this.plugged = [
      ...this.plugged.filter((each) => JSON.stringify(each.fixture) !== text || isUsed(each.groups)),
      later,
    ];
  }

  #add(hardware: Hardware, addIommu: () => void): Sleeps<readonly ModuleDefinition[]> {
    const { core, plain } = this;
    const modules: ModuleDefinition[] = [];
    // The bus and its classes are there before anything that could take their names.
    const bus = this.pci ?? (hardware.pci && makePciBus(core, hardware.cpus, hardware.pci));
    modules.push(...this.#addS390(hardware));
    for (const name of hardware.builtinModules) BuiltinModule.named(core, name);
    for (const name of hardware.buses) plain.bus(name);
    for (const name of hardware.classes) plain.class(name);
    for (const [index, device] of hardware.devices.entries()) at(['devices', index], () => plain.add(device));
    at(['iommu'], addIommu);
    if (bus) this.pciHost ??= new PciHost(bus, plain, this.functions, [this.iommu]);
    const added = at(['pci'], () => hardware.pci && this.pciHost!.add(hardware.pci));
    return after(added, (drivers = []) => {
      const nodes = new RawNodes(core);
      for (const [path, node] of Object.entries(hardware.nodes)) {
        at(['nodes', path], () => nodes.addPath(belowSys(path), node));
      }
      for (const data of hardware.vgpus) this.vgpus.set(data.module, data);
      return [...modules, ...drivers, ...hardware.vgpus.map(vgpuModule)];
    });
  }

  /** @returns modules of what has not been there */
  #addS390({ ap, css }: Hardware): ModuleDefinition[] {
    const modules: ModuleDefinition[] = [];
    // Where a plain bus has its name, that shows before anything has come.
    const channels = css && !this.css ? at(['css'], () => new ChannelSubsystem(this.core)) : undefined;
    if (ap && this.ap) this.ap.add(apData(ap));
    else if (ap) {
      this.ap = at(['ap'], () => new ApBus(this.core, apData(ap)));
      modules.push(vfioApModule(this.ap));
    }
    if (channels) {
      this.css = channels;
      modules.push(vfioCcwModule(channels));
    }
    for (const [index, data] of (css?.subchannels ?? []).entries())
      at(['css', 'subchannels', index], () => this.css!.add(data));
    return modules;
  }
}

/** What of a fixture stays when its functions, subchannels and devices are unplugged. */
function lastingPart(fixture: Fixture): Fixture {
  const { pci, css } = fixture;
  return {
    ...fixture,
    ...(pci && { pci: { ...pci, functions: [] } }),
    ...(css && { css: { ...css, subchannels: [] } }),
    builtinModules: [],
    buses: [],
    classes: [],
    devices: [],
    nodes: {},
    overrides: {},
    modules: [],
    mdevs: [],
    faults: [],
  };
}

/**
 * Puts the overrides of a fixture in place, once the machine has booted.
 * @throws FixtureError naming what cannot be put there
 */
export function override(core: DriverCore, overrides: Fixture['overrides']): void {
  const nodes = new RawNodes(core, undefined, true);
  for (const [path, node] of Object.entries(overrides)) {
    at(['overrides', path], () => nodes.addPath(belowSys(path), node));
  }
}

/** Builds a part, and names its place when that fails. */
export function at<T>(path: Path, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new FixtureError([`${formatPath(path)}: expected something that can be made, got ${error.code}`]);
  }
}
