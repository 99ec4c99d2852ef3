/**
 * A fixture that is plugged into a running machine: what it has that the machine has not comes as at boot, hardware and
 * drivers first, then rules of faults, modules and devices. What the machine has already stays as it is.
 *
 * Plain devices, buses, classes, raw nodes and overrides are not for plugging. Numbers of groups and devices that are taken
 * are not had; the lowest free ones take their place, as for any card that is plugged in.
 * @module
 */

import { cardName } from '../drivers/ap-device.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { bringUp } from './bring-up.js';
import { type Fixture, FixtureError } from './fixture.js';
import type { PciFixture, PciFunctionFixture } from './fixture-pci.js';
import { apAdapters } from './fixture-s390.js';
import type { Hotplug } from './hotplug.js';
import type { PciSlots } from './hotplug-pci.js';

/**
 * @param before what the fixture brought before, some of which may have gone
 * @returns names of what came, by which it goes again
 */
export function plugFixture(
  hotplug: Hotplug,
  slots: PciSlots,
  fixture: Fixture,
  before: readonly string[],
): Sleeps<readonly string[]> {
  const { machine } = hotplug;
  const { core, loader } = machine;
  const names = new Set(core.slots.keys());
  const empty = before.filter((name) => core.slots.get(name)?.occupied === false);
  const missing = missingOf(hotplug, slots, fixture);
  const { pci, ap, css, modules, mdevs } = missing;
  const lists = [empty, pci?.functions, ap?.adapters, css?.subchannels, modules, mdevs];
  if (lists.every((list) => !list || list.length === 0))
    hotplug.refuse(Errno.EEXIST, `${fixture.name}: the machine has everything that is in it`);

  const hardware = { ...missing, vgpus: newDrivers(hotplug, fixture) };
  loader.addImages(fixture.moduleImages);
  slots.forget(pci?.functions ?? []);
  const run = (what: string, step: () => Sleeps<void>) => tell(hotplug, what, step);
  const added = run(fixture.name, () =>
    after(machine.addHardware(hardware, 'plug'), () => machine.host.remember(fixture)),
  );
  const back = after(added, () => eachInTurn(empty, (name) => run(name, () => core.slots.get(name)!.plug())));
  return after(
    after(back, () => bringUp(machine, missing, run)),
    () => [
      ...(pci?.functions ?? []).map(({ address }) => address),
      ...[...core.slots.keys()].filter((name) => !names.has(name)),
    ],
  );
}

/**
 * What of a fixture the machine has not, and can get; vendor drivers are another question.
 * @throws EEXIST when something else is where a function should be
 */
function missingOf(hotplug: Hotplug, slots: PciSlots, fixture: Fixture): Fixture {
  const { machine } = hotplug;
  const { core, loader, host } = machine;
  const { pci, ap, css, modules, mdevs } = fixture;
  const process = machine.process();
  return {
    ...fixture,
    builtinModules: [],
    buses: [],
    classes: [],
    devices: [],
    nodes: {},
    pci: pci && {
      ...pci,
      roots: pci.roots.filter(({ bus }) => !host.pci?.hasBus(bus)),
      functions: missingFunctions(hotplug, slots, pci),
      drivers: pci.drivers.filter(({ name }) => !host.pci?.drivers.has(name)),
    },
    ap: ap && { ...ap, adapters: apAdapters(ap).filter(({ id }) => !core.slots.has(cardName(id))) },
    css: css && { subchannels: css.subchannels.filter(({ id }) => !core.slots.has(id)) },
    modules: modules.filter(
      (entry) => !loader.loaded.includes(typeof entry === 'string' ? entry : entry.name),
    ),
    mdevs: mdevs.filter(({ uuid }) => !process.exists(`/sys/bus/mdev/devices/${uuid.toLowerCase()}`)),
  };
}

/** Vendor drivers that the machine does not have like that. @throws EBUSY when another one has the module's name */
function newDrivers(hotplug: Hotplug, { name, vgpus }: Fixture): Fixture['vgpus'] {
  return vgpus.filter((data) => {
    const { module } = data;
    if (JSON.stringify(hotplug.machine.host.vgpus.get(module)) === JSON.stringify(data)) return false;
    if (hotplug.machine.loader.loaded.includes(module))
      hotplug.refuse(Errno.EBUSY, `${name}: module ${module} is loaded and has other types; unload it first`);
    return true;
  });
}

/** Functions that are in no slot. @throws EEXIST when another function is where one of them should be */
function missingFunctions(
  hotplug: Hotplug,
  slots: PciSlots,
  { functions }: PciFixture,
): PciFunctionFixture[] {
  return functions.filter(({ address, vendor, device }) => {
    if (!slots.has(address)) return true;
    const there = hotplug.machine.host.functions.get(address)!;
    if (there.vendor !== vendor || there.device !== device)
      hotplug.refuse(
        Errno.EEXIST,
        `${address}: ${there.vendor}:${there.device} is where ${vendor}:${device} should be`,
      );
    return false;
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
