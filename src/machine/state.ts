/**
 * What users made of a machine since it was booted: which modules are loaded with what parameters, which mediated
 * devices there are, with what was written to their attributes, and which AP queues the host keeps. A fixture with such a
 * state boots to the same.
 *
 * The rest is as after a reboot: what was bound, unbound and switched on PCI functions, modes and owners of files, the
 * number of the last uevent, what was written to the raw nodes of a fixture, the memory of devices and who had them open.
 * @module
 */

import * as z from 'zod';
import type { KernfsObserver } from '../kernfs/notify.js';
import { mdevModule } from '../mdev/core.js';
import type { MdevDevice } from '../mdev/device.js';
import { vfioModule } from '../vfio/core.js';
import { FixtureError } from './fixture.js';
import { describeIssues } from './fixture-fault.js';
import { ap as apSchema } from './fixture-s390.js';
import { type Fixture, fixtureSchema } from './fixture-schema.js';
import type { Machine } from './machine.js';

export interface MachineState {
  modules: Fixture['modules'];
  mdevs: Fixture['mdevs'];
  /** Masks of the AP bus, on which it depends what can be assigned; undefined on a machine without one. */
  ap?: Pick<NonNullable<Fixture['ap']>, 'apmask' | 'aqmask'> | undefined;
}

const { modules, mdevs } = fixtureSchema.shape;
const masks = apSchema.pick({ apmask: true, aqmask: true }).optional();
const stateSchema = z.strictObject({ modules, mdevs, ap: masks });

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
    modules: live.map(({ name, parameters }) => ({ name, parameters: parameters.changed() })),
    mdevs: all
      .filter(({ active }) => active)
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
  };
}

/** A fixture that boots to a state. Its overrides of mediated devices that are gone are left out. */
export function withState(fixture: Fixture, state: MachineState): Fixture {
  const kept = new Set(state.mdevs.map(({ uuid }) => uuid));
  const gone = fixture.mdevs.map(({ uuid }) => uuid.toLowerCase()).filter((uuid) => !kept.has(uuid));
  const isLeft = (path: string) => !gone.some((uuid) => path.includes(`/${uuid}`));
  const overrides = Object.fromEntries(Object.entries(fixture.overrides).filter(([path]) => isLeft(path)));
  const ap = fixture.ap && { ...fixture.ap, ...state.ap };
  return { ...fixture, ...state, ap, overrides };
}

/** Where files are whose writing changes a state without a uevent. */
const SILENT =
  /\/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\/|^\/module\/[^/]+\/parameters\//;

/**
 * Tells of changes of a machine's state: of those that a write makes before whoever wrote is told, and once; of others
 * as they happen.
 * @returns what ends it
 */
export function watchState(machine: Machine, changed: () => void): () => void {
  const { root } = machine.sysfs;
  let seen = machine.uevents.seqnum;
  let pending = false;
  const tell = () => {
    seen = machine.uevents.seqnum;
    changed();
  };
  const observer: KernfsObserver = {
    written(node) {
      if (seen !== machine.uevents.seqnum || SILENT.test(node.path)) tell();
    },
  };
  const later = () => {
    if (pending) return;
    pending = true;
    // A write that is being served is at its end by then.
    queueMicrotask(() => {
      pending = false;
      if (seen !== machine.uevents.seqnum) tell();
    });
  };
  root.observers.add(observer);
  const unsubscribe = machine.uevents.subscribe(later);
  return () => {
    root.observers.delete(observer);
    unsubscribe();
  };
}
