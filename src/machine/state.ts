/**
 * What users made of a machine since it was booted: what is plugged in, which modules are loaded with what parameters,
 * which drivers have what, which AP queues the host keeps, which mediated devices there are, with what was written to their
 * attributes, and which rules of fault injection. A fixture boots to the same with it (put-back-state.ts).
 *
 * The rest is as after a reboot: other switches of PCI functions, which of them the kernel was told to forget, modes and
 * owners of files, the number of the last uevent, what was written to the raw nodes of a fixture, the memory of devices
 * and who had them open.
 * @module
 */

import * as z from 'zod';
import type { KernfsObserver } from '../kernfs/notify.js';
import { mdevModule } from '../mdev/core.js';
import type { MdevDevice } from '../mdev/device.js';
import { vfioModule } from '../vfio/core.js';
import { faultState } from './fault.js';
import { FixtureError } from './fixture.js';
import { describeIssues } from './fixture-fault.js';
import { ap as apSchema } from './fixture-s390.js';
import { fixtureSchema } from './fixture-schema.js';
import { hotplugState } from './hotplug-state.js';
import type { Machine } from './machine.js';
import { bindingState, stateOfBindings } from './state-binding.js';

const { modules, mdevs } = fixtureSchema.shape;
const masks = apSchema.pick({ apmask: true, aqmask: true });
const stateSchema = z.strictObject({
  modules: modules.unwrap(),
  mdevs: mdevs.unwrap(),
  // On which it depends what can be assigned; only on a machine with an AP bus.
  ap: masks.optional(),
  // Not in files of format 1; then it is as the fixture has it.
  hotplug: hotplugState.optional(),
  bindings: bindingState.optional(),
  faults: z.array(faultState).optional(),
});

export type MachineState = z.output<typeof stateSchema>;

/**
 * @param file where it is from, for messages
 * @throws FixtureError with every fault
 */
export function checkState(value: unknown, file: string): MachineState {
  const result = stateSchema.safeParse(value);
  if (result.success) return result.data;
  const faults = describeIssues(result.error.issues, stateSchema, value);
  throw new FixtureError(faults.map((fault) => `${file}: ${fault}`));
}

export function machineState(machine: Machine): MachineState {
  const { loader, host } = machine;
  const live = loader.modules.filter(({ state }) => state === 'live');
  const vfio = loader.exportsOf(vfioModule);
  const vfioDevices = new Map([...(vfio?.devices ?? [])].map((vdev) => [vdev.device, vdev]));
  const all = [...(loader.exportsOf(mdevModule)?.bus.devices.values() ?? [])] as MdevDevice[];
  return {
    ...(host.ap && { ap: host.ap.config.texts }),
    modules: live.map(({ name, parameters, otherHolders }) => ({
      name,
      parameters: parameters.changed(),
      ...(otherHolders.size > 0 && { holders: [...otherHolders] }),
    })),
    mdevs: all
      // Of a parent that is leaving they are about to go, and could not be put back without it.
      .filter(({ active, mdevType }) => active && !mdevType.parent.unregistering)
      .map((mdev) => {
        const { uuid, mdevType } = mdev;
        const vdev = vfioDevices.get(mdev);
        const written = mdev.driver ? (mdevType.parent.driver.written?.(mdev) ?? {}) : {};
        return {
          uuid,
          parent: mdev.parent.name,
          type: mdevType.dir.name,
          ...(Object.keys(written).length > 0 && { attributes: written }),
          ...(vdev
            ? { iommuGroup: vdev.group.owned.id, vfioGroup: vdev.group.minor, vfioDevice: vdev.index }
            : { unbound: true }),
        };
      }),
    hotplug: machine.hotplug.state,
    bindings: stateOfBindings(host, vfio),
    faults: machine.faults.state,
  };
}

/** Where files are whose writing changes a state without a uevent. */
const SILENT = [
  /\/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\//,
  /^\/module\/[^/]+\/parameters\//,
  /\/(driver_override|sriov_drivers_autoprobe)$/,
];

/**
 * Tells of changes of a machine's state: of those that a write makes before whoever wrote is told, and once; of others
 * as they happen.
 * @returns what ends it
 */
export function watchState(machine: Machine, changed: () => void): () => void {
  const { root } = machine.sysfs;
  let seen = machine.uevents.seqnum;
  let rulesChanged = false;
  let pending = false;
  const hasChanged = () => rulesChanged || seen !== machine.uevents.seqnum;
  const tell = () => {
    seen = machine.uevents.seqnum;
    rulesChanged = false;
    changed();
  };
  const later = () => {
    if (pending) return;
    pending = true;
    // A write that is being served is at its end by then.
    queueMicrotask(() => {
      pending = false;
      if (hasChanged()) tell();
    });
  };
  const observer: KernfsObserver = {
    written({ path }) {
      if (hasChanged() || SILENT.some((pattern) => pattern.test(path))) tell();
    },
    faultsChanged() {
      rulesChanged = true;
      later();
    },
  };
  root.observers.add(observer);
  const unsubscribe = machine.uevents.subscribe(later);
  return () => {
    root.observers.delete(observer);
    unsubscribe();
  };
}
