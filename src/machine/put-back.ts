/**
 * Mediated devices as they were on another machine, or on this one before it ended: made as a user makes them, with the
 * numbers that they had. The kernel has the same for processes and IPC objects, where a restored one asks for its number
 * beforehand (`kernel.ns_last_pid`, `kernel.msg_next_id`).
 * @module
 */

import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { vfioModule } from '../vfio/core.js';
import type { Fixture } from './fixture-schema.js';
import type { Machine } from './machine.js';

export type MdevFixture = Fixture['mdevs'][number];

/** What of a state cannot be had on the machine that there is now. */
export class PutBackError extends Error {
  override readonly name = 'PutBackError';
}

/**
 * Makes a device. A number that is taken is not had, nor any by one that takes its time; it gets the lowest free one.
 * @throws what creating it or writing its attributes throws
 */
export function putBack(machine: Machine, mdev: MdevFixture): Sleeps<void> {
  const { uuid, attributes = {}, unbound } = mdev;
  const device = `/sys/bus/mdev/devices/${uuid.toLowerCase()}`;
  return after(create(machine, mdev), () =>
    after(
      eachInTurn(Object.entries(attributes), ([name, text]) => machine.write(`${device}/${name}`, text)),
      () => (unbound ? machine.unbind(device) : undefined),
    ),
  );
}

/** Makes it with its numbers. Nobody else may have them, whether it comes or not. */
function create(machine: Machine, mdev: MdevFixture): Sleeps<void> {
  const { uuid, parent, type, iommuGroup, vfioGroup, vfioDevice } = mdev;
  const vfio = machine.loader.exportsOf(vfioModule);
  const wishes = [
    [machine.iommu.ids, iommuGroup],
    [vfio?.groupMinors, vfioGroup],
    [vfio?.deviceIndexes, vfioDevice],
  ] as const;
  for (const [ids, number] of wishes) if (ids) ids.wish = number;
  try {
    return machine.createMdev(parent, type, uuid);
  } finally {
    for (const [ids] of wishes) if (ids) ids.wish = undefined;
  }
}
