/**
 * The recording of a vendor driver on PCI functions (`vgpu`): the shell commands that were given, and the
 * states that they lead to.
 * @module
 */

import { type Action, echo, inTurn, load, unload } from './family.js';

/**
 * What a recorded shell command does to the machine; undefined for one that only looks.
 * @param command `echo TEXT > PATH`, `modprobe NAME`, `insmod .../NAME.ko`, `rmmod NAME`
 */
export function shellAction(command: string): Action | undefined {
  const [, text, path] = /^echo (\S+) > (\S+)$/.exec(command) ?? [];
  if (text !== undefined && path !== undefined) return echo(`${text}\n`, path);
  const [verb, word] = command.split(' ');
  const name = /(\w+)\.ko\b/.exec(command)?.[1] ?? word;
  if (name === undefined) return undefined;
  if (verb === 'modprobe' || verb === 'insmod') return load(name);
  return verb === 'rmmod' ? unload(name) : undefined;
}

const BEHIND_PORT = '0000:01:00.0';
const ON_BUS = '0000:00:04.0';
const devices = '/sys/bus/pci/devices';
const uuid = (n: number): string => `83b8f4f2-509f-382f-3c1e-e6bfe0fa100${n}`;

const commands = (...lines: string[]): Action =>
  inTurn(lines.map((line) => shellAction(line)).filter((action) => action !== undefined));

const takeOver = (device: string): string[] => [
  `echo ${device} > ${devices}/${device}/driver/unbind`,
  `echo vgpu > ${devices}/${device}/driver_override`,
  `echo ${device} > /sys/bus/pci/drivers_probe`,
];

const create = (n: number, parent: string, type: string): string =>
  `echo ${uuid(n)} > /sys/class/mdev_bus/${parent}/mdev_supported_types/${type}/create`;

/** What was loaded before the recording began: the driver of the functions, and the VFIO core. */
export const vgpuModules = ['e1000e', 'iommufd', 'vfio', 'vfio_iommu_type1'] as const;

/** What is done before each of the states 00 to 07. */
export const vgpuStates: readonly Action[] = [
  inTurn([...vgpuModules, 'mdev', 'vgpu_oracle'].map(load)),
  commands(...takeOver(BEHIND_PORT), ...takeOver(ON_BUS)),
  commands(
    create(0, BEHIND_PORT, 'vgpu-vga'),
    create(1, BEHIND_PORT, 'vgpu-hd'),
    create(2, ON_BUS, 'vgpu-xga'),
    create(0, ON_BUS, 'vgpu-xga'),
  ),
  commands(`echo 1 > /sys/bus/mdev/devices/${uuid(1)}/remove`),
  commands(`echo ${BEHIND_PORT} > /sys/bus/pci/drivers/vgpu/unbind`),
  commands(`echo ${BEHIND_PORT} > /sys/bus/pci/drivers/vgpu/bind`, create(3, BEHIND_PORT, 'vgpu-vga')),
  commands(`echo 1 > ${devices}/${BEHIND_PORT}/remove`),
  commands('echo 1 > /sys/bus/pci/rescan', 'rmmod vgpu_oracle'),
];
