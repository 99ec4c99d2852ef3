/**
 * A host from its fixture: everything that is there before a module is loaded. The PCI bus, other buses and classes come first, then
 * devices, the IOMMU, what is on the PCI bus, and raw nodes last, so that they can add to what the others made.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import type { ModuleDefinition } from '../base/module.js';
import { ChannelSubsystem } from '../drivers/css.js';
import { vfioApModule } from '../drivers/vfio-ap.js';
import { vfioCcwModule } from '../drivers/vfio-ccw.js';
import { vgpuModule } from '../drivers/vgpu.js';
import type { Iommu } from '../iommu/group.js';
import { KernelError } from '../lib/errno.js';
import type { PciBus } from '../pci/bus.js';
import { type Fixture, FixtureError } from './fixture.js';
import type { PciFixture, PciFunctionFixture } from './fixture-pci.js';
import { formatPath, type Path } from './fixture-fault.js';
import { PlainHost } from './host-device.js';
import { HostIommu } from './host-iommu.js';
import { BuiltinModule } from './host-module.js';
import { belowSys, RawNodes } from './host-node.js';
import { makePciBus, PciHost } from './host-pci.js';

/** What a machine needs of its host. */
export interface Host {
  /** For modules, as `pciBuiltin`; undefined on a host without PCI. */
  pci: PciBus | undefined;
  /** What stands on it. */
  pciHost: PciHost | undefined;
  plain: PlainHost;
  iommu: HostIommu;
  /** PCI functions by address, those that are unplugged too. */
  functions: Map<string, PciFunctionFixture>;
  css: ChannelSubsystem | undefined;
  /** Vendor drivers by their modules. */
  vgpus: Map<string, Fixture['vgpus'][number]>;
  /** How many fixtures were plugged in. */
  plugged: number;
  /** Modules of the fixture: vendor drivers, and drivers of the host that are not part of the kernel. */
  modules: readonly ModuleDefinition[];
}

/**
 * @throws FixtureError naming the place of the fixture that cannot be built, such as a node where there is one
 */
export function buildHost(core: DriverCore, iommu: Iommu, fixture: Fixture): Host {
  const plain = new PlainHost(core);
  // The bus and its classes are there before anything that could take their names.
  const pci = fixture.pci && makePciBus(core, fixture.cpus, fixture.pci);
  const css = fixture.css && at(['css'], () => new ChannelSubsystem(core, fixture.css!.subchannels));
  for (const name of fixture.builtinModules) BuiltinModule.named(core, name);
  for (const name of fixture.buses) plain.bus(name);
  for (const name of fixture.classes) plain.class(name);
  for (const [index, device] of fixture.devices.entries()) at(['devices', index], () => plain.add(device));
  const functions = new Map<string, PciFunctionFixture>();
  const hostIommu = at(['iommu'], () => {
    return new HostIommu(plain, iommu, fixture.iommu, (address) => functions.get(address) ?? {});
  });
  const pciHost = pci && new PciHost(pci, plain, functions, [hostIommu]);
  const drivers = at(['pci'], () => (pciHost ? populate(pciHost, fixture.pci!) : []));
  const nodes = new RawNodes(core);
  for (const [path, node] of Object.entries(fixture.nodes)) {
    at(['nodes', path], () => nodes.addPath(belowSys(path), node));
  }
  const s390 = [...(fixture.ap ? [vfioApModule(fixture.ap)] : []), ...(css ? [vfioCcwModule(css)] : [])];
  const vgpus = new Map(fixture.vgpus.map((data) => [data.module, data]));
  const modules = [...drivers, ...fixture.vgpus.map(vgpuModule), ...s390];
  return { pci, pciHost, plain, iommu: hostIommu, functions, css, vgpus, plugged: 0, modules };
}

/** @returns drivers that are modules */
function populate(pciHost: PciHost, { roots, functions, drivers }: PciFixture): ModuleDefinition[] {
  pciHost.addRoots(roots);
  pciHost.insert(functions);
  pciHost.bus.rescan();
  return pciHost.addDrivers(drivers);
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
