/**
 * A request for a feature of a VFIO device (drivers/vfio/vfio_main.c), checked as far as all features are.
 * @module
 */

import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  FEATURE_SIZE,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
} from '../uapi/vfio-feature.js';

const GET_AND_SET = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
const KNOWN_FLAGS = VFIO_DEVICE_FEATURE_MASK | GET_AND_SET | VFIO_DEVICE_FEATURE_PROBE;
const U64_SIZE = 8;

const einval = (): never => {
  throw new KernelError(Errno.EINVAL);
};

export class FeatureRequest {
  readonly flags: number;
  /** Bytes that follow the header. */
  readonly room: number;

  /** @throws EFAULT; EINVAL for too small a structure, unknown flags, and for GET with SET unless it is a probe */
  constructor(readonly arg: UserPointer) {
    const header = arg.read(FEATURE_SIZE);
    this.flags = header.readUInt32LE(4);
    this.room = header.readUInt32LE(0) - FEATURE_SIZE;
    if (this.room < 0 || this.flags & ~KNOWN_FLAGS) einval();
    if (!this.isProbe && (this.flags & GET_AND_SET) === GET_AND_SET) einval();
  }

  get feature(): number {
    return this.flags & VFIO_DEVICE_FEATURE_MASK;
  }

  get isProbe(): boolean {
    return (this.flags & VFIO_DEVICE_FEATURE_PROBE) !== 0;
  }

  get isGet(): boolean {
    return (this.flags & VFIO_DEVICE_FEATURE_GET) !== 0;
  }

  /**
   * Whether there is more to do than to say that the feature is there.
   * @param supported GET, SET or both
   * @param size bytes of the feature's data
   * @throws EINVAL for a direction that is not supported, for none, and for too little room
   */
  proceeds(supported: number, size: number): boolean {
    const asked = this.flags & GET_AND_SET;
    if (asked & ~supported) einval();
    if (this.isProbe) return false;
    if (asked === 0 || this.room < size) einval();
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
