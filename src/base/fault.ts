/**
 * Faults of drivers and of open devices: what the driver core and processes ask before they call one.
 * @module
 */

import type { Fault } from '../lib/fault.js';
import type { Device } from './device.js';
import type { DeviceDriver } from './driver.js';
import type { CharFile } from './file.js';

/** A system call on an open device. */
export interface DeviceCall {
  readonly operation: 'read' | 'write' | 'mmap' | 'ioctl';
  /** What /proc/PID/fd shows for the file. */
  readonly path: string;
  /** Number of the request, for an ioctl. */
  readonly request?: number;
}

/** Who has the rules. */
export interface DeviceFaults {
  /** The fault of a driver that is about to take a device. */
  probe(driver: DeviceDriver, device: Device): Fault | undefined;
  /** The fault of a driver that is about to let its device go. */
  remove(device: Device): Fault | undefined;
  call(file: CharFile, call: DeviceCall): Fault | undefined;
}
