/**
 * Messages of drivers about their devices (drivers/base/core.c `dev_printk`, include/linux/dev_printk.h).
 * @module
 */

import type { Device } from './device.js';

/** How messages about a device begin (`dev_driver_string`): its driver, else its bus, else its class. */
export function devDriverString(device: Device): string {
  return device.driver?.name ?? device.bus?.name ?? device.class?.name ?? '';
}

/** Prints a line about a device into the kernel log (`dev_info` and its sisters). */
export function devPrint(device: Device, message: string): void {
  device.core.log.print(`${devDriverString(device)} ${device.name}: ${message}`);
}
