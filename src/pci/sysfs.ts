/**
 * Files of every PCI device (drivers/pci/pci-sysfs.c): what it is, and the switches that any of them has.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import { Errno, KernelError } from '../lib/errno.js';
import { cstring, kstrtoint, kstrtoull } from '../lib/kstrtox.js';
import type { Sleeps } from '../lib/sleep.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciDevice } from './device.js';
import { PCI_CLASS_DISPLAY_VGA } from './regs.js';
import { ariEnabled } from './sriov.js';
import { resetMethodStore, resetStore } from './reset.js';
import { formatResource, PCI_BRIDGE_RESOURCES, PCI_NUM_RESOURCES } from './resource.js';

const PAGE_SIZE = 4096;
const NUMA_NO_NODE = -1;

const hex = (value: number, digits: number, prefix = '0x') =>
  `${prefix}${value.toString(16).padStart(digits, '0')}`;
const upper = (value: number, digits: number) => hex(value, digits, '').toUpperCase();

/** `pci:v...d...sv...sd...bc..sc..i..`, by which a driver's module is found. */
export function modalias({ function: pciFunction }: PciDevice): string {
  const { config, vendor, device, subsystemVendor, subsystemDevice } = pciFunction;
  const kind = upper(config.class, 6);
  return (
    `pci:v${upper(vendor, 8)}d${upper(device, 8)}` +
    `sv${upper(subsystemVendor, 8)}sd${upper(subsystemDevice, 8)}` +
    `bc${kind.slice(0, 2)}sc${kind.slice(2, 4)}i${kind.slice(4)}`
  );
}

/** Variables of a PCI device's uevents. */
export function pciUevent(device: PciDevice): string[] {
  const { config, subsystemVendor, subsystemDevice, address } = device.function;
  const { vendor, device: id } = device.function;
  return [
    `PCI_CLASS=${upper(config.class, 4)}`,
    `PCI_ID=${upper(vendor, 4)}:${upper(id, 4)}`,
    `PCI_SUBSYS_ID=${upper(subsystemVendor, 4)}:${upper(subsystemDevice, 4)}`,
    `PCI_SLOT_NAME=${address}`,
    `MODALIAS=${modalias(device)}`,
  ];
}

/** A bitmap of the first `count` processors, in words of 32 bits. */
export function cpuMask(count: number): string {
  const words: string[] = [];
  for (let left = count; left > 0; left -= 32) {
    const bits = Math.min(left, 32);
    words.push((2 ** bits - 1).toString(16));
  }
  return words.reverse().join(',');
}

export function cpuList(count: number): string {
  return count === 1 ? '0' : `0-${count - 1}`;
}

const read = (name: string, show: (device: PciDevice) => string): Attribute<PciDevice> => ({
  name,
  mode: 0o444,
  show: (device) => `${show(device)}\n`,
});

/** Something that is built into the function. */
const constant = (name: string, show: (device: PciDevice) => string): Attribute<PciDevice> => ({
  ...read(name, show),
  constant: true,
});

const write = (
  name: string,
  show: (device: PciDevice) => string,
  store: (device: PciDevice, text: string) => Sleeps<void>,
): Attribute<PciDevice> => ({ name, mode: 0o644, show: (device) => `${show(device)}\n`, store });

/** `kstrtoul`, base 0. */
const number = (text: string) => kstrtoull(text);

/**
 * @throws EINVAL for no number; EBUSY while a driver is bound; EIO for taking back what was not enabled
 */
function enableStore(device: PciDevice, text: string): Sleeps<void> {
  const value = number(text);
  return device.locked(() => {
    if (device.driver) throw new KernelError(Errno.EBUSY);
    if (value !== 0n) device.enable();
    else if (device.enableCount > 0) device.disable();
    else throw new KernelError(Errno.EIO);
  });
}

/** @throws EINVAL, ERANGE for no number; EINVAL for a node that the machine does not have */
function numaNodeStore(device: PciDevice, text: string): void {
  const node = kstrtoint(text);
  if (node !== NUMA_NO_NODE && !device.pci.numaNodes.has(node)) throw new KernelError(Errno.EINVAL);
  devPrint(device, `[Firmware Bug]: Overriding NUMA node to ${node}.  Contact your vendor for updates.`);
  device.numaNode = node;
}

/** On a bridge this is about the devices behind it. */
function msiBusStore(device: PciDevice, text: string): void {
  device.noMsi = number(text) === 0n;
  const whose = device.function.config.isBridge ? 'future drivers of devices on this bus' : 'future drivers';
  devPrint(device, `MSI/MSI-X ${device.noMsi ? 'disallowed' : 'allowed'} for ${whose}`);
}

/** @throws EINVAL for a text that fills a page */
export function driverOverrideStore(device: PciDevice, text: string): Sleeps<void> {
  if (text.length >= PAGE_SIZE - 1) throw new KernelError(Errno.EINVAL);
  return device.locked(() => {
    const [line = ''] = cstring(text).split('\n');
    device.driverOverride = line === '' ? undefined : line;
  });
}

/** Takes the device from the kernel. The file goes first, so that of two writers one does it. */
function removeStore(device: PciDevice, text: string): Sleeps<void> {
  if (number(text) === 0n) return;
  device.dir.hide('remove');
  return device.pci.stopAndRemoveLocked(device);
}

function rescanStore(device: PciDevice, text: string): Sleeps<void> {
  if (number(text) !== 0n) return device.pci.rescanLocked();
}

function resourceShow({ function: pciFunction }: PciDevice): string {
  const count = pciFunction.config.isBridge ? PCI_NUM_RESOURCES : PCI_BRIDGE_RESOURCES;
  return Array.from({ length: count }, (_, index) => formatResource(pciFunction.resource(index))).join('\n');
}

export const pciDeviceGroup = new AttributeGroup<PciDevice>({
  attributes: [
    constant('vendor', (device) => hex(device.function.vendor, 4)),
    constant('device', (device) => hex(device.function.device, 4)),
    constant('subsystem_vendor', (device) => hex(device.function.subsystemVendor, 4)),
    constant('subsystem_device', (device) => hex(device.function.subsystemDevice, 4)),
    constant('revision', (device) => hex(device.function.config.revision, 2)),
    constant('class', (device) => hex(device.function.config.class, 6)),
    constant('modalias', modalias),
    read('resource', resourceShow),
    // The first vector of MSI stands in for the line; MSI-X does not.
    read('irq', (device) => String(device.vectorKind === 'msi' ? device.vectors[0] : device.irq)),
    read('power_state', (device) => device.powerState),
    read('local_cpus', ({ pci }) => cpuMask(pci.cpus)),
    read('local_cpulist', ({ pci }) => cpuList(pci.cpus)),
    read('dma_mask_bits', (device) => String(device.dmaMaskBits)),
    read('consistent_dma_mask_bits', (device) => String(device.dmaMaskBits)),
    read('ari_enabled', (device) => (ariEnabled(device) ? '1' : '0')),
    write('enable', (device) => String(device.enableCount), enableStore),
    write('numa_node', (device) => String(device.numaNode), numaNodeStore),
    write('msi_bus', (device) => (device.noMsi ? '0' : '1'), msiBusStore),
    write(
      'broken_parity_status',
      (device) => (device.brokenParityStatus ? '1' : '0'),
      (device, text) => {
        device.brokenParityStatus = number(text) !== 0n;
      },
    ),
    write(
      'd3cold_allowed',
      (device) => (device.d3coldAllowed ? '1' : '0'),
      (device, text) => {
        device.d3coldAllowed = number(text) !== 0n;
      },
    ),
    write('driver_override', (device) => device.driverOverride ?? '(null)', driverOverrideStore),
    read('boot_vga', (device) => (device.pci.bootVga === device.function ? '1' : '0')),
    read('secondary_bus_number', (device) => String(device.function.secondaryBusNumber)),
    read('subordinate_bus_number', (device) => String(device.function.subordinateBusNumber)),
    // A reset of everything behind a bridge leaves no trace here either.
    { name: 'reset_subordinate', mode: 0o200, store: (_device, text) => resetSubordinateStore(text) },
    { name: 'remove', mode: 0o220, store: removeStore },
    { name: 'rescan', mode: 0o200, store: rescanStore },
  ],
  isVisible: ({ function: { config } }, { name }) => {
    if (name === 'boot_vga') return config.class >> 8 === PCI_CLASS_DISPLAY_VGA;
    if (/^(secondary|subordinate)_bus_number$|^reset_subordinate$/.test(name)) return config.isBridge;
    return true;
  },
});

/** @throws EINVAL for anything but a number other than 0 */
function resetSubordinateStore(text: string): void {
  if (number(text) === 0n) throw new KernelError(Errno.EINVAL);
}

/** Files of a device that had a way to be reset when it was found. */
export const pciResetGroup = new AttributeGroup<PciDevice>({
  attributes: [
    { name: 'reset', mode: 0o200, store: resetStore },
    write('reset_method', (device) => device.resetMethods.join(' '), resetMethodStore),
  ],
  isVisible: (device) => device.resettable,
});
