/**
 * What users made of the PCI functions and subchannels of a machine: which driver has them, for which they are kept, and
 * how many virtual functions there are.
 * @module
 */

import * as z from 'zod';
import type { Bus } from '../base/bus.js';
import { deviceDetach, deviceDriverAttach } from '../base/dd.js';
import { KernelError } from '../lib/errno.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { PciDevice } from '../pci/device.js';
import { pciSriovConfigureSimple } from '../pci/sriov.js';
import type { VfioCore } from '../vfio/core.js';
import type { Host } from './host.js';

export const bindingState = z.strictObject({
  drivers: z.record(z.string(), z.string().nullable()).describe('Drivers by device; null for none.'),
  overrides: z
    .record(z.string(), z.string().nullable())
    .describe('What was written to driver_override, by device; null where there is none any more.'),
  sriov: z
    .record(z.string(), z.strictObject({ numVfs: z.int().nonnegative(), autoprobe: z.boolean() }))
    .describe('Virtual functions of physical ones.'),
  vfio: z
    .record(z.string(), z.strictObject({ vfioGroup: z.int(), vfioDevice: z.int() }))
    .describe('Numbers that functions have from VFIO.'),
});

export type BindingState = z.output<typeof bindingState>;

/** A device that can be kept for one driver. */
interface Overridable {
  driverOverride: string | undefined;
}

const busesOf = (host: Host): Bus[] => [host.pci, host.css?.bus].filter((bus) => bus !== undefined);

/** For what driver a device was when it was new. */
const bootedOverride = ({ functions, css }: Host, name: string): string | undefined =>
  (functions.get(name) ?? css?.known.get(name))?.driverOverride;

/** @param vfio the VFIO core, if it is loaded */
export function stateOfBindings(host: Host, vfio: VfioCore | undefined): BindingState {
  const state: BindingState = { drivers: {}, overrides: {}, sriov: {}, vfio: {} };
  for (const bus of busesOf(host)) {
    for (const device of bus.devices.values()) {
      const { name, driver } = device;
      const { driverOverride } = device as unknown as Overridable;
      state.drivers[name] = driver?.name ?? null;
      if (driverOverride !== bootedOverride(host, name)) state.overrides[name] = driverOverride ?? null;
      const sriov = device instanceof PciDevice ? device.sriov : undefined;
      if (sriov) state.sriov[name] = { numVfs: sriov.numVfs, autoprobe: sriov.driversAutoprobe };
    }
  }
  for (const { device, group, index } of vfio?.devices ?? []) {
    if (device instanceof PciDevice) state.vfio[device.name] = { vfioGroup: group.minor, vfioDevice: index };
  }
  return state;
}

/**
 * Does it again: first physical functions get their drivers, then these make virtual ones, which get theirs.
 * @param failed told what a driver does not take any more
 */
export function putBackBindings(
  host: Host,
  state: BindingState,
  failed: (what: string, error: KernelError) => void,
): Sleeps<void> {
  const { pci } = host;
  const counts = Object.entries(state.sriov).filter(([address]) => pci?.device(address)?.sriov);
  return after(bind(host, state, failed), () => {
    const made = eachInTurn(counts, ([address, { numVfs, autoprobe }]) => {
      const device = pci!.device(address)!;
      device.sriov!.driversAutoprobe = autoprobe;
      // Who made them need not be there any more.
      return numVfs === 0 ? undefined : pci!.holdRescanRemove(() => pciSriovConfigureSimple(device, numVfs));
    });
    return after(made, () => bind(host, state, failed));
  });
}

/** Gives devices the drivers that they had; also such that do not match by themselves. */
function bind(
  host: Host,
  { drivers, overrides }: BindingState,
  failed: (what: string, error: KernelError) => void,
): Sleeps<void> {
  return eachInTurn(busesOf(host), (bus) =>
    eachInTurn([...bus.devices.values()], (device) => {
      const { name } = device;
      const override = overrides[name];
      if (override !== undefined) (device as unknown as Overridable).driverOverride = override ?? undefined;
      const wanted = drivers[name];
      if (wanted === undefined || wanted === (device.driver?.name ?? null)) return;
      return after(device.driver && deviceDetach(device), () => {
        const driver = wanted === null ? undefined : bus.drivers.get(wanted);
        try {
          return driver && deviceDriverAttach(driver, device);
        } catch (error) {
          if (!(error instanceof KernelError)) throw error;
          failed(`${name}: driver ${wanted}`, error);
        }
      });
    }),
  );
}
