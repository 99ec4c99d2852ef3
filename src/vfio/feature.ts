/**
 * VFIO_DEVICE_FEATURE (drivers/vfio/vfio_main.c): what a device offers beyond its regions and interrupts. Migration is
 * here, logging of DMA in logging.ts; other features are of real devices.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  FEATURE_MIG_STATE_SIZE,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_MIGRATION,
  VFIO_DEVICE_FEATURE_SET,
} from '../uapi/vfio-feature.js';
import type { VfioDevice } from './device.js';
import type { VfioMigrationOps } from './device-ops.js';
import { FeatureRequest } from './feature-request.js';
import { reportLogging, startLogging, stopLogging } from './logging.js';

const U64_SIZE = 8;
/** What stands in the place of a descriptor when there is none. */
const NO_FD = -1;

/**
 * @throws EFAULT; EINVAL for a malformed request, or one that the feature does not take
 * @throws ENOTTY for a feature that the device does not have
 */
export function vfioDeviceFeature(vdev: VfioDevice, arg: UserPointer, caller: Caller): number {
  const request = new FeatureRequest(arg);
  const migration = () => vdev.ops.migration ?? absent();
  const logging = () => vdev.ops.logging ?? absent();
  switch (request.feature) {
    case VFIO_DEVICE_FEATURE_MIGRATION:
      migrationFlags(migration(), request);
      break;
    case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE:
      migrationState(vdev, migration(), request, caller);
      break;
    case VFIO_DEVICE_FEATURE_MIG_DATA_SIZE:
      migrationDataSize(vdev, migration(), request);
      break;
    case VFIO_DEVICE_FEATURE_DMA_LOGGING_START:
      startLogging(vdev, logging(), request, caller.memory);
      break;
    case VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP:
      stopLogging(vdev, logging(), request);
      break;
    case VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT:
      reportLogging(vdev, logging(), request, caller.memory);
      break;
    default:
      absent();
  }
  return 0;
}

function absent(): never {
  throw new KernelError(Errno.ENOTTY);
}

function migrationFlags(ops: VfioMigrationOps, request: FeatureRequest): void {
  if (request.proceeds(VFIO_DEVICE_FEATURE_GET, U64_SIZE)) request.writeU64(ops.flags);
}

function migrationDataSize(vdev: VfioDevice, ops: VfioMigrationOps, request: FeatureRequest): void {
  if (request.proceeds(VFIO_DEVICE_FEATURE_GET, U64_SIZE)) request.writeU64(ops.getDataSize(vdev));
}

function migrationState(
  vdev: VfioDevice,
  ops: VfioMigrationOps,
  request: FeatureRequest,
  caller: Caller,
): void {
  if (!request.proceeds(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET, FEATURE_MIG_STATE_SIZE)) return;
  const state = request.read(FEATURE_MIG_STATE_SIZE);
  state.writeInt32LE(NO_FD, 4);
  if (request.isGet) {
    state.writeUInt32LE(ops.getState(vdev), 0);
    request.write(state);
    return;
  }
  try {
    const data = ops.setState(vdev, state.readUInt32LE(0));
    if (data) state.writeInt32LE(caller.install(data), 4);
  } finally {
    // Also a request that failed is told that there is no descriptor.
    request.write(state);
  }
}
