/**
 * Devices that scenarios have made for them, and nodes that other users may open.
 * @module
 */

import { run } from '../bench/child.js';
import type { Place } from './place.js';

const LIMIT_MS = 20_000;

export const MTTY = 'class/mdev_bus/mtty/mdev_supported_types/mtty-1';
export const VGPU = 'class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222';

export const uuidOf = (number: number): string =>
  `7042e000-0000-4000-c000-${number.toString(16).padStart(12, '0')}`;

/** A shell script on the tree, by a process that can be waited for with a limit. */
export const script = (place: Place, text: string, ...args: string[]): Promise<string> =>
  run(['sh', '-e', '-c', `cd "$1"; shift; ${text}`, 'sh', place.tree, ...args], LIMIT_MS);

/** Makes a device. @returns its node below the folder of the device files */
export async function makeDevice(place: Place, type: string, number: number): Promise<string> {
  const device = `bus/mdev/devices/${uuidOf(number)}`;
  const node = await script(place, `echo "$1" > "$2/create"; ls "$3/vfio-dev"`, uuidOf(number), type, device);
  return `vfio/devices/${node.trim()}`;
}

/** Removes a device, which may wait a moment for its last user. */
export const removeDevice = (place: Place, number: number): Promise<string> =>
  script(place, 'echo 1 > "bus/mdev/devices/$1/remove"', uuidOf(number));
