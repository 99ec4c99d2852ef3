/**
 * Devices and drivers meet and part (drivers/base/dd.c, and the bind and unbind files of bus.c).
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { delayed, struck } from '../lib/fault.js';
import { after, asleep, type Sleeps } from '../lib/sleep.js';
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

function probe(driver: DeviceDriver, device: Device): Sleeps<void> {
  if (device.dead || !device.inSysfs) throw new KernelError(Errno.ENODEV);
  if (device.driver) throw new KernelError(Errno.EBUSY);
  device.driver = driver;
  driver.devices.add(device);
  driver.addLinks(device);
  const bound = (): void => {
    device.showPart(Part.DriverGroups);
    device.uevent('bind');
  };
  const failed = (error: unknown): never => {
    if (error instanceof KernelError && error.errno !== Errno.ENODEV && error.errno !== Errno.ENXIO) {
      devPrint(device, `probe with driver ${driver.name} failed with error ${-error.errno}`);
    }
    driver.removeLinks(device);
    driver.devices.delete(device);
    device.driver = undefined;
    device.driverData = undefined;
    throw error;
  };
  let probed: Sleeps<void>;
  try {
    const fault = device.core.faults?.probe(driver, device);
    probed = struck(fault, () => (driver.bus.probe ?? driver.options.probe)?.(device));
  } catch (error) {
    return failed(error);
  }
  return asleep(probed) ? probed.then(bound, failed) : bound();
}

/** Parts a device from its driver (`device_driver_detach`), in turn with whoever holds the device's lock. */
export function deviceDetach(device: Device): Sleeps<void> {
  return device.locked(() => after(removeAnyway(device), () => release(device)));
}

/** The same for a device that is being deleted, by somebody who has asked for faults. */
export function deviceReleaseDriver(device: Device): Sleeps<void> {
  return device.locked(() => release(device));
}

/**
 * Asks for the fault of a driver's remove where nobody can take an errno: it returns void, so what would be one is
 * printed, and the device goes.
 */
export function removeAnyway(device: Device): Sleeps<void> {
  const { driver, core } = device;
  const fault = driver && core.faults?.remove(device);
  return after(delayed(fault), () => {
    if (fault?.errno !== undefined)
      devPrint(device, `remove of driver ${driver!.name} failed with error ${-fault.errno}, ignored`);
  });
}

/** Nothing happens to a device without a driver. */
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
export function deviceAttach(device: Device): Sleeps<boolean> {
  if (device.driver) return true;
  const drivers = device.bus?.drivers.values() ?? [][Symbol.iterator]();
  const next = (): Sleeps<boolean> => {
    for (let each = drivers.next(); !each.done; each = drivers.next()) {
      if (!each.value.bus.match(device, each.value)) continue;
      const bound = tryProbe(each.value, device);
      if (asleep(bound)) return bound.then((is) => is || next());
      if (bound) return true;
    }
    return false;
  };
  return next();
}

/**
 * Tries a new driver on the devices of its bus that have none (`driver_attach`). Those whose probe sleeps are bound later
 * (as with asynchronous probing).
 */
export function driverAttach(driver: DeviceDriver): void {
  for (const device of [...driver.bus.devices.values()]) {
    if (!device.driver && driver.bus.match(device, driver)) void tryProbe(driver, device);
  }
}

function tryProbe(driver: DeviceDriver, device: Device): Sleeps<boolean> {
  const refused = (error: unknown): boolean => {
    if (error instanceof KernelError) return false;
    throw error;
  };
  try {
    const probed = device.locked(() => probe(driver, device));
    return asleep(probed) ? probed.then(() => true, refused) : true;
  } catch (error) {
    return refused(error);
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
