/**
 * A fixture that is plugged into a running machine: its PCI functions, subchannels, drivers and modules, then its devices
 * and rules. What the machine has already stays as it is. Plain devices, buses, classes and raw nodes are not for plugging.
 *
 * Its IOMMU groups are new ones, with the lowest numbers that are free, as for any card that is plugged in.
 * @module
 */

import { ChannelSubsystem } from '../drivers/css.js';
import { vfioApModule } from '../drivers/vfio-ap.js';
import { vfioCcwModule } from '../drivers/vfio-ccw.js';
import { vgpuModule } from '../drivers/vgpu.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { pciBuiltin } from '../pci/bus.js';
import { type Fixture, FixtureError } from './fixture.js';
import type { PciFixture, PciFunctionFixture } from './fixture-pci.js';
import type { Host } from './host.js';
import { makePciBus, PciHost } from './host-pci.js';
import type { Hotplug } from './hotplug.js';
import type { PciSlots } from './hotplug-pci.js';

/** Between the numbers by which the functions of two fixtures name their IOMMU groups. */
const GROUPS_APART = 2 ** 20;

/**
 * @param before what the fixture brought before, some of which may have gone
 * @returns names of what came, by which it goes again
 */
export function plugFixture(
  hotplug: Hotplug,
  host: Host,
  slots: PciSlots,
  fixture: Fixture,
  before: readonly string[],
): Sleeps<readonly string[]> {
  const { machine } = hotplug;
  const { core, loader } = machine;
  const names = new Set(core.slots.keys());
  const functions = fixture.pci ? missingFunctions(hotplug, host, slots, fixture.pci) : [];
  const modules = fixture.modules
    .map((entry) => (typeof entry === 'string' ? { name: entry, parameters: {} } : entry))
    .filter(({ name }) => !loader.loaded.includes(name));
  const subchannels = (fixture.css?.subchannels ?? []).filter(({ id }) => !core.slots.has(id));
  const cards = before.filter((name) => core.slots.get(name)?.occupied === false);
  const mdevs = fixture.mdevs.filter(
    ({ uuid }) => !machine.process().exists(`/sys/bus/mdev/devices/${uuid}`),
  );
  if (functions.length + modules.length + subchannels.length + cards.length + mdevs.length === 0)
    hotplug.refuse(Errno.EEXIST, `${fixture.name}: the machine has everything that is in it`);

  const vgpus = newDrivers(hotplug, host, fixture);
  loader.addImages(fixture.moduleImages);
  const found = fixture.pci ? plugPci(hotplug, host, slots, fixture, functions) : undefined;
  return after(found, () => {
    for (const data of vgpus) {
      host.vgpus.set(data.module, data);
      machine.define(vgpuModule(data));
    }
    if (fixture.ap && !machine.defines('vfio_ap')) machine.define(vfioApModule(fixture.ap));
    if (fixture.css && !host.css) {
      host.css = new ChannelSubsystem(core, []);
      machine.define(vfioCcwModule(host.css));
    }
    for (const data of subchannels) host.css!.add(data);
    for (const rule of fixture.faults) machine.faults.add(rule);
    for (const { name, parameters } of modules)
      tell(hotplug, `module ${name}`, () => machine.modprobe(name, parameters));
    const plugged = eachInTurn(cards, (name) => core.slots.get(name)!.plug());
    if (fixture.pci)
      tell(hotplug, 'sriov_numvfs', () =>
        machine.makeVirtualFunctions({ pci: { ...fixture.pci!, functions } }),
      );
    const made = after(plugged, () =>
      eachInTurn(mdevs, ({ uuid, parent, type }) =>
        tell(hotplug, uuid, () => machine.createMdev(parent, type, uuid)),
      ),
    );
    return after(made, () => [
      ...functions.map(({ address }) => address),
      ...[...core.slots.keys()].filter((name) => !names.has(name)),
    ]);
  });
}

/** Vendor drivers that the machine does not have like that. @throws EBUSY when another one has the module's name */
function newDrivers(hotplug: Hotplug, host: Host, { name, vgpus }: Fixture): Fixture['vgpus'] {
  return vgpus.filter((data) => {
    const { module } = data;
    if (JSON.stringify(host.vgpus.get(module)) === JSON.stringify(data)) return false;
    if (hotplug.machine.loader.loaded.includes(module))
      hotplug.refuse(Errno.EBUSY, `${name}: module ${module} is loaded and has other types; unload it first`);
    return true;
  });
}

/** Functions that are in no slot. @throws EEXIST when another function is where one of them should be */
function missingFunctions(
  hotplug: Hotplug,
  host: Host,
  slots: PciSlots,
  { functions }: PciFixture,
): PciFunctionFixture[] {
  return functions.filter(({ address, vendor, device }) => {
    if (!slots.has(address)) return true;
    const there = host.functions.get(address)!;
    if (there.vendor !== vendor || there.device !== device)
      hotplug.refuse(
        Errno.EEXIST,
        `${address}: ${there.vendor}:${there.device} is where ${vendor}:${device} should be`,
      );
    return false;
  });
}

function plugPci(
  { machine }: Hotplug,
  host: Host,
  slots: PciSlots,
  fixture: Fixture,
  functions: readonly PciFunctionFixture[],
): Sleeps<void> {
  const pci = fixture.pci!;
  if (!host.pci) {
    host.pci = makePciBus(machine.core, fixture.cpus, pci);
    host.pciHost = new PciHost(host.pci, host.plain, host.functions, [host.iommu]);
    machine.loader.addBuiltin(pciBuiltin, host.pci);
  }
  const { bus } = host.pciHost!;
  const offset = ++host.plugged * GROUPS_APART;
  host.iommu.describe(host.plain, fixture.iommu, offset);
  host.pciHost!.addRoots(pci.roots.filter((root) => !bus.hasBus(root.bus)));
  for (const { numaNode } of functions) if (numaNode >= 0) bus.numaNodes.add(numaNode);
  const found = slots.insert(
    functions.map((each) =>
      each.iommuGroup === undefined ? each : { ...each, iommuGroup: offset + each.iommuGroup },
    ),
  );
  return after(found, () => {
    const drivers = pci.drivers.filter(({ name }) => !bus.drivers.has(name));
    for (const definition of host.pciHost!.addDrivers(drivers))
      if (!machine.defines(definition.name)) machine.define(definition);
  });
}

/** Does a step, and tells the log about which one it was when it fails. */
function tell(hotplug: Hotplug, what: string, step: () => Sleeps<void>): Sleeps<void> {
  const failed = (error: unknown): never => {
    if (error instanceof FixtureError) return hotplug.refuse(Errno.EIO, error.faults[0]!);
    if (!(error instanceof KernelError)) throw error;
    return hotplug.refuse(error.errno, `${what}: ${error.code}`);
  };
  try {
    const done = step();
    return done instanceof Promise ? done.catch(failed) : done;
  } catch (error) {
    return failed(error);
  }
}
