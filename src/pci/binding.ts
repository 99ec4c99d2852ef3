/**
 * What nearly every PCI driver does with its device in probe and undoes in remove: enable it, make it a bus master,
 * set the width of DMA addresses, take interrupt vectors.
 * @module
 */

import type { PciDevice } from './device.js';

export interface PciBinding {
  enable: boolean;
  busMaster: boolean;
  /** Interrupt vectors; none where 0, and none for virtual functions. */
  vectors: number;
  /** Bits of a DMA address. Stays with the device. */
  dmaMask?: number | undefined;
  /** Whether virtual functions are made when a user asks for some. */
  sriov?: boolean | undefined;
}

/** The setup of a probe. @throws ENOSPC when the device has no vectors to give */
export function bindPci(device: PciDevice, binding: PciBinding): void {
  const { options } = device.function;
  if (binding.enable) device.enable();
  if (binding.dmaMask !== undefined) device.dmaMaskBits = binding.dmaMask;
  try {
    if (binding.vectors > 0 && !device.physfn)
      device.allocVectors(options.vectors?.length ?? binding.vectors);
  } catch (error) {
    if (binding.enable) device.disable();
    throw error;
  }
  if (binding.busMaster) device.setMaster();
}

/** The teardown of a remove. */
export function unbindPci(device: PciDevice, binding: PciBinding): void {
  device.freeVectors();
  if (binding.enable) device.disable();
}
