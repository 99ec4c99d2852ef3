/**
 * Devices and drivers meet and part (drivers/base/dd.c, and the bind and unbind files of bus.c).
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { devPrint } from './dev-print.js';
import type { Device } from './device.js';
import type { DeviceDriver } from './driver.js';
import { Part } from './part.js';

/**
 * Binds a device to a driver, whether or not the bus finds that they match (`device_driver_attach`).
 * @throws ENODEV when the device is going away
 * @throws EBUSY when it has a driver
 * @throws whatever the driver's probe refuses it with
 */
export function deviceDriverAttach(driver: DeviceDriver, device: Device): Sleeps<void> {
  return device.locked(() => probe(driver, device));
}

function probe(driver: DeviceDriver, device: Device): void {
  if (device.dead || !device.inSysfs) throw new KernelError(Errno.ENODEV);
  if (device.driver) throw new KernelError(Errno.EBUSY);
  device.driver = driver;
  driver.devices.add(device);
  driver.addLinks(device);
  try {
    (driver.bus.probe ?? driver.options.probe)?.(device);
  } catch (error) {
    if (error instanceof KernelError && error.errno !== Errno.ENODEV && error.errno !== Errno.ENXIO) {
      devPrint(device, `probe with driver ${driver.name} failed with error ${-error.errno}`);
    }
    driver.removeLinks(device);
    driver.devices.delete(device);
    device.driver = undefined;
    device.driverData = undefined;
    throw error;
  }
  device.showPart(Part.DriverGroups);
  device.uevent('bind');
}

/** Parts a device from its driver (`device_driver_detach`), in turn with whoever holds the device's lock. */
export function deviceDetach(device: Device): Sleeps<void> {
  return device.locked(() => release(device));
}

/** The same for a device that is being deleted; nothing happens when it has no driver. */
export const deviceReleaseDriver = deviceDetach;

function release(device: Device): Sleeps<void> {
  const { driver } = device;
  if (!driver) return;
  driver.removeLinks(device);
  device.hidePart(Part.DriverGroups);
  const removed = (driver.bus.remove ?? driver.options.remove)?.(device);
  return after(removed, () => {
    device.driver = undefined;
    device.driverData = undefined;
    driver.devices.delete(device);
    device.uevent('unbind');
  });
}

/**
 * Tries the drivers of the bus on a device (`device_attach`).
 * @returns whether the device has a driver now
 */
export function deviceAttach(device: Device): boolean {
  if (device.driver) return true;
  for (const driver of device.bus?.drivers.values() ?? []) {
    if (driver.bus.match(device, driver) && tryProbe(driver, device)) return true;
  }
  return false;
}

/** Tries a new driver on the devices of its bus that have none (`driver_attach`). */
export function driverAttach(driver: DeviceDriver): void {
  for (const device of [...driver.bus.devices.values()]) {
    if (!device.driver && driver.bus.match(device, driver)) tryProbe(driver, device);
  }
}

function tryProbe(driver: DeviceDriver, device: Device): boolean {
  try {
    probe(driver, device);
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}

/**
 * @throws ENODEV when the bus has no such device, or it does not match the driver
 */
export function bindStore(driver: DeviceDriver, text: string): Sleeps<void> {
  const device = driver.bus.findDevice(text);
  if (!device || !driver.bus.match(device, driver)) throw new KernelError(Errno.ENODEV);
  return deviceDriverAttach(driver, device);
}

/** @throws ENODEV when the bus has no such device, or it is not bound to this driver */
export function unbindStore(driver: DeviceDriver, text: string): Sleeps<void> {
  const device = driver.bus.findDevice(text);
  if (!device || device.driver !== driver) throw new KernelError(Errno.ENODEV);
  return deviceDetach(device);
}
