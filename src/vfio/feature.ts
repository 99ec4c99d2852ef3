/**
 * VFIO_DEVICE_FEATURE (drivers/vfio/vfio_main.c): what a device offers beyond its regions and interrupts. Migration is
 * here; logging of DMA is a feature of no emulated device.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  FEATURE_MIG_STATE_SIZE,
  FEATURE_SIZE,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_MIGRATION,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
} from '../uapi/vfio-feature.js';
import type { VfioDevice } from './device.js';
import type { VfioMigrationOps } from './device-ops.js';

const KNOWN_FLAGS =
  VFIO_DEVICE_FEATURE_MASK | VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE;
const GET_AND_SET = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;

const U64_SIZE = 8;
/** What stands in the place of a descriptor when there is none. */
const NO_FD = -1;

const einval = (): never => {
  throw new KernelError(Errno.EINVAL);
};

/** A request for a feature, checked as far as all features are. */
class FeatureRequest {
  constructor(
    readonly arg: UserPointer,
    readonly flags: number,
    /** Bytes that follow the header. */
    readonly room: number,
  ) {}

  /**
   * Whether there is more to do than to say that the feature is there.
   * @param supported GET, SET or both
   * @param size bytes of the feature's data
   * @throws EINVAL for a direction that is not supported, for none, and for too little room
   */
  proceeds(supported: number, size: number): boolean {
    const { flags, room } = this;
    if (flags & GET_AND_SET & ~supported) einval();
    if (flags & VFIO_DEVICE_FEATURE_PROBE) return false;
    if (!(flags & GET_AND_SET) || room < size) einval();
    return true;
  }

  read(length: number): Buffer {
    return this.arg.read(length, FEATURE_SIZE);
  }

  write(bytes: Uint8Array): void {
    this.arg.write(bytes, FEATURE_SIZE);
  }

  writeU64(value: number): void {
    const bytes = Buffer.alloc(U64_SIZE);
    bytes.writeBigUInt64LE(BigInt(value));
    this.write(bytes);
  }
}

/**
 * @throws EFAULT; EINVAL for a malformed request, or one that the feature does not take
 * @throws ENOTTY for a feature that the device does not have
 */
export function vfioDeviceFeature(vdev: VfioDevice, arg: UserPointer, caller: Caller): number {
  const header = arg.read(FEATURE_SIZE);
  const [argsz, flags] = [header.readUInt32LE(0), header.readUInt32LE(4)];
  if (argsz < FEATURE_SIZE || flags & ~KNOWN_FLAGS) einval();
  if (!(flags & VFIO_DEVICE_FEATURE_PROBE) && (flags & GET_AND_SET) === GET_AND_SET) einval();
  const { migration } = vdev.ops;
  const feature = featureOf(flags & VFIO_DEVICE_FEATURE_MASK);
  if (!feature || !migration) throw new KernelError(Errno.ENOTTY);
  feature(vdev, migration, new FeatureRequest(arg, flags, argsz - FEATURE_SIZE), caller);
  return 0;
}

type Feature = (vdev: VfioDevice, ops: VfioMigrationOps, request: FeatureRequest, caller: Caller) => void;

function featureOf(number: number): Feature | undefined {
  switch (number) {
    case VFIO_DEVICE_FEATURE_MIGRATION:
      return migrationFlags;
    case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE:
      return migrationState;
    case VFIO_DEVICE_FEATURE_MIG_DATA_SIZE:
      return migrationDataSize;
    default:
      return undefined;
  }
}

const migrationFlags: Feature = (_, ops, request) => {
  if (request.proceeds(VFIO_DEVICE_FEATURE_GET, U64_SIZE)) request.writeU64(ops.flags);
};

const migrationDataSize: Feature = (vdev, ops, request) => {
  if (request.proceeds(VFIO_DEVICE_FEATURE_GET, U64_SIZE)) request.writeU64(ops.getDataSize(vdev));
};

const migrationState: Feature = (vdev, ops, request, caller) => {
  if (!request.proceeds(GET_AND_SET, FEATURE_MIG_STATE_SIZE)) return;
  const state = request.read(FEATURE_MIG_STATE_SIZE);
  state.writeInt32LE(NO_FD, 4);
  if (request.flags & VFIO_DEVICE_FEATURE_GET) {
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
};
