/**
 * What hot plug made of a machine since its boot: as data, and done again on a machine that has just come up. Not the
 * commands that led there are kept but what is plugged in and what is not, so it does not grow by plugging in and out.
 *
 * A function is kept as its address where the fixture of the machine describes it, otherwise as a whole.
 * @module
 */

import * as z from 'zod';
import type { Device } from '../base/device.js';
import { IommuGroup } from '../iommu/group.js';
import { eachInTurn, type Sleeps } from '../lib/sleep.js';
import { type Fixture, fixtureSchema } from './fixture-schema.js';
import { pciFunction, type PciFunctionFixture } from './fixture-pci.js';
import { css } from './fixture-s390.js';
import type { Host } from './host.js';
import type { PciSlots } from './hotplug-pci.js';
import type { Machine } from './machine.js';

const described = z.union([z.string(), pciFunction]);

export const hotplugState = z.strictObject({
  fixtures: z
    .array(z.strictObject({ groups: z.int(), fixture: fixtureSchema }))
    .describe('What was plugged in, without what comes and goes by itself.'),
  absent: z.array(z.string()).describe('Functions of the fixture that are not in their slots as at boot.'),
  functions: z.array(described).describe('Functions that were plugged in.'),
  unplugged: z.record(z.string(), z.array(described)).describe('What left its slot, by what was pulled.'),
  buses: z
    .record(z.string(), z.array(z.string()))
    .describe('Buses of plain devices with their drivers, which stay when the devices go.'),
  classes: z.array(z.string()).describe('Classes of plain devices.'),
  subchannels: css.shape.subchannels.unwrap().describe('Subchannels that were plugged in.'),
  empty: z.array(z.string()).describe('Other slots with nothing in them.'),
  brought: z.record(z.string(), z.array(z.string())).describe('What fixtures brought, by their names.'),
  iommuGroups: z
    .record(z.string(), z.int().nonnegative())
    .describe('Numbers of the IOMMU groups of functions.'),
});

export type HotplugState = z.output<typeof hotplugState>;
type Described = HotplugState['functions'][number];

/**
 * @param leaving names of what is on its way out
 * @param brought what fixtures brought, by their names
 */
export function stateOfHotplug(
  { core, host }: Machine,
  slots: PciSlots,
  leaving: ReadonlySet<string>,
  brought: ReadonlyMap<string, readonly string[]>,
): HotplugState {
  const booted = host.booted.functions;
  const of = (each: PciFunctionFixture): Described =>
    booted.get(each.address) === each ? each.address : each;
  const functions = pluggedFunctions(host);
  const there = new Set(slots.host()?.bus.functions.map(({ address }) => address));
  const came = new Set(functions.map(({ address }) => address));
  const empty = [...core.slots].filter(([name, { occupied }]) => !occupied || leaving.has(name));
  return {
    fixtures: [...host.plugged],
    absent: [...booted.keys()].filter((address) => !there.has(address) || came.has(address)),
    functions: functions.map(of),
    unplugged: Object.fromEntries([...slots.out].map(([name, out]) => [name, out.map(of)])),
    buses: Object.fromEntries([...host.plain.buses].map(([name, drivers]) => [name, [...drivers]])),
    classes: [...host.plain.classes],
    subchannels: [...(host.css?.known.values() ?? [])]
      .filter(({ id }) => !host.booted.subchannels.has(id))
      .map((data) => ({ ...data, chpids: [...data.chpids] })),
    empty: empty.map(([name]) => name).sort(),
    brought: Object.fromEntries([...brought].map(([name, names]) => [name, [...names]])),
    iommuGroups: Object.fromEntries(groupsOf(host, came)),
  };
}

/**
 * Functions that are in their slots otherwise than at boot, in the order of a scan: others than there were, those whose
 * IOMMU group has another number since they came back, and all that is behind such a bridge.
 */
function pluggedFunctions({ pci, functions, booted }: Host): PciFunctionFixture[] {
  const buses = new Set<string>();
  return (pci?.functions ?? []).flatMap(({ address, bus, secondaryBus }) => {
    const description = functions.get(address)!;
    const { iommuGroup } = description;
    const group = groupOf(pci!.device(address));
    const isSame = booted.functions.get(address) === description && (group ?? iommuGroup) === iommuGroup;
    if (isSame && !buses.has(bus)) return [];
    if (secondaryBus !== undefined) buses.add(secondaryBus);
    return [description];
  });
}

/** Numbers that would be others on a machine that comes up: of functions that came later, and of virtual ones. */
function* groupsOf({ pci }: Host, came: ReadonlySet<string>): Iterable<[string, number]> {
  for (const { address } of pci?.functions ?? []) {
    const device = pci!.device(address);
    if (!device) continue;
    for (const each of [...(came.has(address) ? [device] : []), ...(device.sriov?.virtual ?? [])]) {
      const group = groupOf(each);
      if (group !== undefined) yield [each.name, group];
    }
  }
}

const groupOf = (device: Device | undefined) =>
  device?.iommuGroup instanceof IommuGroup ? device.iommuGroup.id : undefined;

/**
 * Makes a machine whose modules are not loaded yet what it was, but for the slots that come with modules.
 * @param state of a machine of the same fixture; what that no longer has is left out
 * @param change what a fixture that was plugged in is changed to
 */
export function putBackHotplug(
  machine: Machine,
  slots: PciSlots,
  state: HotplugState,
  change: (fixture: Fixture) => Fixture,
): Sleeps<void> {
  const { host } = machine;
  const describe = (each: Described): PciFunctionFixture[] => {
    const found = typeof each === 'string' ? host.booted.functions.get(each) : each;
    return found ? [found] : [];
  };
  for (const [address, group] of Object.entries(state.iommuGroups)) host.iommu.wishes.set(address, group);
  return eachInTurn(
    [
      ...state.fixtures.map(
        ({ groups, fixture }) =>
          () =>
            plugAgain(machine, change(fixture), groups),
      ),
      ...state.absent.map((address) => () => (slots.has(address) ? slots.unplug(address) : undefined)),
      () => slots.insert(state.functions.flatMap(describe)),
      () => {
        host.plugged = [...state.fixtures];
        slots.setOut(Object.entries(state.unplugged).map(([name, out]) => [name, out.flatMap(describe)]));
        for (const data of state.subchannels) host.css?.add(data);
        addPlain(host, state);
      },
    ],
    (step) => step(),
  );
}

/** Adds what a fixture has beside what comes and goes by itself, and the machine has not. */
function plugAgain(machine: Machine, fixture: Fixture, groups: number): Sleeps<void> {
  const { host, loader } = machine;
  const { pci } = fixture;
  loader.addImages(fixture.moduleImages);
  const missing = pci && {
    ...pci,
    roots: pci.roots.filter(({ bus }) => !host.pci?.hasBus(bus)),
    drivers: pci.drivers.filter(({ name }) => !host.pci?.drivers.has(name)),
  };
  return machine.addHardware({ ...fixture, pci: missing }, 'plug', groups);
}

/** Adds buses, drivers and classes of plain devices that have gone. */
function addPlain({ plain }: Host, { buses, classes }: HotplugState): void {
  for (const [name, drivers] of Object.entries(buses)) {
    const bus = plain.bus(name);
    for (const driver of drivers) plain.driver(bus, driver);
  }
  for (const name of classes) plain.class(name);
}
