/**
 * How a device gets from one migration state to another (drivers/vfio/vfio_main.c `vfio_mig_get_next_state`; the
 * description of enum vfio_device_mig_state in include/uapi/linux/vfio.h). There are arcs between states; other changes
 * go along the shortest way. States in which the device is being saved are on the way only from one such state to
 * another.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { VFIO_MIGRATION_P2P, VFIO_MIGRATION_PRE_COPY, VfioMigState } from '../uapi/vfio-feature.js';

const { STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P } = VfioMigState;

const ARCS = new Map<number, readonly number[]>([
  [STOP, [RUNNING_P2P, STOP_COPY, RESUMING]],
  [RUNNING, [RUNNING_P2P, PRE_COPY]],
  [STOP_COPY, [STOP]],
  [RESUMING, [STOP]],
  [RUNNING_P2P, [RUNNING, STOP, PRE_COPY_P2P]],
  [PRE_COPY, [RUNNING, PRE_COPY_P2P]],
  [PRE_COPY_P2P, [PRE_COPY, RUNNING_P2P, STOP_COPY]],
]);

const isSaving = (state: number) => state === STOP_COPY || state === PRE_COPY || state === PRE_COPY_P2P;

/** Whether a device with these VFIO_MIGRATION_* flags, and STOP_COPY at least, has a state. */
function has(flags: number, state: number): boolean {
  const needs =
    (state === RUNNING_P2P || state === PRE_COPY_P2P ? VFIO_MIGRATION_P2P : 0) |
    (state === PRE_COPY || state === PRE_COPY_P2P ? VFIO_MIGRATION_PRE_COPY : 0);
  return ARCS.has(state) && (flags & needs) === needs;
}

/** The states after `from` on the shortest way to `to`. */
function way(from: number, to: number): number[] {
  const through = isSaving(from) && isSaving(to);
  const ways = [[from]];
  const seen = new Set([from]);
  for (const soFar of ways) {
    for (const next of ARCS.get(soFar.at(-1)!)!) {
      if (next === to) return [...soFar.slice(1), to];
      if (seen.has(next) || (isSaving(next) && !through)) continue;
      seen.add(next);
      ways.push([...soFar, next]);
    }
  }
  throw new KernelError(Errno.EINVAL);
}

/**
 * The next state on the way to another; states that the device does not have are stepped over.
 * @param flags VFIO_MIGRATION_* of the device
 * @throws EINVAL for a state that the device does not have, and for what was stopped and copied and shall be copied
 * while running
 */
export function nextMigrationState(flags: number, from: number, to: number): number {
  if (!has(flags, from) || !has(flags, to)) throw new KernelError(Errno.EINVAL);
  if (from === STOP_COPY && (to === PRE_COPY || to === PRE_COPY_P2P)) throw new KernelError(Errno.EINVAL);
  return way(from, to).find((state) => has(flags, state))!;
}
