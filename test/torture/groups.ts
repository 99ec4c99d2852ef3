/**
 * Groups of devices.
 * @module
 */

import { script, uuidOf } from './devices.js';
import type { Place } from './place.js';

/** The node of the group of a device, below the folder of the device files. */
export async function groupNode(place: Place, number: number): Promise<string> {
  const link = await script(place, 'readlink "bus/mdev/devices/$1/iommu_group"', uuidOf(number));
  return `vfio/${link.trim().split('/').at(-1)}`;
}
