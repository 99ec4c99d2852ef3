/**
 * Ways to reset a function (drivers/pci/pci.c, `reset` and `reset_method`): which ones a device supports follows from
 * its capabilities and its place; a user may choose among them. A reset itself changes nothing here, since the kernel
 * restores what it saved.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import { Errno, KernelError } from '../lib/errno.js';
import { cstring, kstrtoull, sysfsStreq } from '../lib/kstrtox.js';
import type { PciDevice } from './device.js';
import type { ResetMethod } from './function.js';
import {
  PCI_AF_CAP,
  PCI_AF_CAP_FLR,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_PM,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
} from './regs.js';

/** In the order in which the kernel prefers them. */
const methods: readonly ResetMethod[] = ['device_specific', 'acpi', 'flr', 'af_flr', 'pm', 'bus', 'cxl_bus'];

/** The methods a device supports, the preferred first (`pci_init_reset_methods`). */
export function supportedResetMethods(device: PciDevice): ResetMethod[] {
  const { options } = device.function;
  return options.resetMethods
    ? [...options.resetMethods]
    : methods.filter((method) => supports(device, method));
}

function supports(device: PciDevice, method: ResetMethod): boolean {
  const { config } = device.function;
  switch (method) {
    case 'flr': {
      const express = config.findCapability(PCI_CAP_ID_EXP);
      return express !== 0 && (config.u32(express + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR) !== 0;
    }
    case 'af_flr': {
      const features = config.findCapability(PCI_CAP_ID_AF);
      return features !== 0 && (config.u8(features + PCI_AF_CAP) & PCI_AF_CAP_FLR) !== 0;
    }
    case 'pm': {
      const power = config.findCapability(PCI_CAP_ID_PM);
      return power !== 0 && (config.u16(power + PCI_PM_CTRL) & PCI_PM_CTRL_NO_SOFT_RESET) === 0;
    }
    case 'bus':
      return isAloneBelowBridge(device);
    default:
      return false;
  }
}

/** A bus reset hits everything on the bus, so it is for a device that has it to itself. */
function isAloneBelowBridge({ pci, physfn, function: self }: PciDevice): boolean {
  if (physfn || self.config.isBridge || pci.isRootBus(self.bus)) return false;
  return pci.functions.filter(({ bus }) => bus === self.bus).length === 1;
}

/**
 * @throws EINVAL for anything but 1
 * @throws ENOTTY when no method is left
 */
export function resetStore(device: PciDevice, text: string): void {
  if (kstrtoull(text) !== 1n) throw new KernelError(Errno.EINVAL);
  if (device.resetMethods.length === 0) throw new KernelError(Errno.ENOTTY);
}

/**
 * Chooses methods, in order of preference; `default` is what the device supports, an empty line none.
 * @throws EINVAL for a name that is no method, or a method that the device does not support
 */
export function resetMethodStore(device: PciDevice, text: string): void {
  if (sysfsStreq(text, '')) {
    devPrint(device, 'All device reset methods disabled by user');
    device.resetMethods = [];
    return;
  }
  const supported = supportedResetMethods(device);
  if (sysfsStreq(text, 'default')) {
    device.resetMethods = supported;
    return;
  }
  const words = cstring(text)
    .split(' ')
    .map((word) => word.trim());
  device.resetMethods = words
    .filter((word) => word !== '')
    .map((word) => {
      const method = methods.find((name) => name === word);
      if (!method) devPrint(device, `Invalid reset method '${word}'`);
      else if (!supported.includes(method)) devPrint(device, `Unsupported reset method '${word}'`);
      if (!method || !supported.includes(method)) throw new KernelError(Errno.EINVAL);
      return method;
    });
}
