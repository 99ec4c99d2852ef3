/**
 * The machine of the recordings: QEMU's q35 with an Intel IOMMU, two network cards (one behind a root port), NVMe and
 * two virtio devices.
 * @module
 */

import type { ModuleImage } from '../../../src/base/module.js';
import type { FixtureInput } from '../../../src/machine/fixture.js';
import type { RawNode } from '../../../src/machine/fixture-node.js';
import { firmware, furniture, wakeupFunctions } from './furniture.js';
import type { Recorded } from './recorded.js';

type Pci = NonNullable<FixtureInput['pci']>;
type PciFunction = NonNullable<Pci['functions']>[number];
type Device = NonNullable<FixtureInput['devices']>[number];

const ROOT = '/sys/devices/pci0000:00';
/** What every device has, or what is modelled of one. */
const USUAL = ['uevent', 'power', 'subsystem', 'device', 'driver'];
const MAC = /^52:54:00:12:34:..$/;

/** In the order in which the kernel found them. */
const functions = [
  '0000:00:00.0',
  '0000:00:01.0',
  '0000:00:03.0',
  '0000:00:04.0',
  '0000:00:05.0',
  '0000:00:06.0',
  '0000:00:1f.0',
  '0000:00:1f.2',
  '0000:00:1f.3',
  '0000:01:00.0',
];

const BEHIND_PORT = '0000:01:00.0';
const pathOf = (address: string) =>
  address === BEHIND_PORT ? `${ROOT}/0000:00:06.0/${address}` : `${ROOT}/${address}`;

/**
 * @param boot before any module was loaded
 * @param later with the driver of the network cards
 * @param driver facts of the vendor driver
 */
export function q35Intel(boot: Recorded, later: Recorded, driver: ModuleImage): FixtureInput {
  return {
    name: 'q35-intel',
    description: 'The machine of the recordings: QEMU q35 with an Intel IOMMU and two e1000e network cards.',
    seqnum: 298,
    modules: [],
    moduleImages: { vgpu_oracle: driver },
    buses: boot
      .entries('/sys/bus')
      .filter((name) => name !== 'pci')
      .sort(),
    classes: boot.entries('/sys/class').sort(),
    devices: [...firmware(boot), ...furniture],
    nodes: {
      '/sys/firmware/acpi/tables': boot.raw('/sys/firmware/acpi/tables'),
      '/sys/kernel/debug/iommu/intel': { entries: translationFiles(boot) },
    },
    iommu: {
      units: [
        {
          name: 'dmar0',
          nodes: boot.rawEntries('/sys/devices/virtual/iommu/dmar0', [...USUAL, 'devices']),
        },
      ],
      groups: boot
        .entries('/sys/kernel/iommu_groups')
        .map(Number)
        .sort((a, b) => a - b)
        .map((id) => ({
          id,
          reservedRegions: boot.text(`/sys/kernel/iommu_groups/${id}/reserved_regions`).split('\n'),
        })),
    },
    pci: {
      roots: [
        {
          bus: '0000:00',
          firmwareNode: boot.target(`${ROOT}/firmware_node`),
          devices: [
            {
              name: 'QEMU0002:00',
              bus: 'platform',
              variables: ['MODALIAS=acpi:QEMU0002:'],
              firmwareNode: boot.target(`${ROOT}/QEMU0002:00/firmware_node`),
              nodes: boot.rawEntries(`${ROOT}/QEMU0002:00`, [
                ...USUAL,
                'firmware_node',
                'waiting_for_supplier',
              ]),
            },
          ],
        },
      ],
      // 24 is the IOMMU's own.
      firstVector: 25,
      writeCombining: false,
      functions: functions.map((address) => pciFunction(boot, later, address)),
      drivers: [
        {
          name: 'pcieport',
          module: 'pcieportdrv',
          ids: ['*:* 060400/ffffff', '*:* 060401/ffffff'],
          binding: {
            busMaster: true,
            vectors: 1,
            devices: [{ name: '{address}:pcie010', bus: 'pci_express', power: 'none' }],
          },
        },
        {
          name: 'virtio-pci',
          module: 'virtio_pci',
          ids: ['1af4:*'],
          binding: { busMaster: true, vectors: 2, dmaMask: 64 },
        },
        {
          name: 'e1000e',
          module: 'e1000e',
          builtin: false,
          ids: ['8086:10d3'],
          binding: { busMaster: true, vectors: 3, dmaMask: 64, devices: [networkInterface(later)] },
        },
      ],
    },
    vgpus: [vgpuOracle],
  };
}

function pciFunction(boot: Recorded, later: Recorded, address: string): PciFunction {
  const path = pathOf(address);
  const text = (file: string) => boot.text(`${path}/${file}`);
  const id = (file: string) => text(file).replace('0x', '');
  const has = (file: string) => boot.has(`${path}/${file}`);
  const lines = text('resource').split('\n');
  while (/^0x0+ 0x0+ 0x0+$/.test(lines.at(-1) ?? '')) lines.pop();
  const bytes = boot.bytes(`${path}/config`);
  const routed = later.has(`${path}/irq`) ? later.text(`${path}/irq`) : text('irq');
  const interfaces = later.has(`${path}/net`) ? later.entries(`${path}/net`) : [];
  return {
    address,
    vendor: id('vendor'),
    device: id('device'),
    class: id('class'),
    revision: id('revision'),
    config: bytes.toString('hex').replace(/(00)+$/, ''),
    resources: lines,
    // What a bound driver shows is the routed number; the firmware's is in configuration space.
    irq: has('driver') ? bytes.readUInt8(0x3c) : Number(text('irq')),
    ...(routed !== '0' && { routedIrq: Number(routed) }),
    ...(has('msi_irqs') && {
      vectors: boot
        .entries(`${path}/msi_irqs`)
        .map(Number)
        .sort((a, b) => a - b),
    }),
    ...(has('firmware_node') && {
      firmwareNode: boot.target(`${path}/firmware_node`),
      wakeup: wakeupFunctions.includes(address),
    }),
    iommuGroup: Number(boot.node(`${path}/iommu_group`).target!.split('/').at(-1)),
    iommu: 'dmar0',
    ...(interfaces[0] !== undefined && {
      values: { mac: later.text(`${path}/net/${interfaces[0]}/address`) },
    }),
    nodes: {
      [`/sys/kernel/debug/iommu/intel/${address}`]: {
        entries: {
          domain_translation_struct: { content: `Device ${address} @0xcb9000\n${TRANSLATION_HEAD}`, size: 0 },
        },
      },
    },
    // They hang on the driver; here they stay, since the machine runs from them.
    devices: boot
      .entries(path)
      .filter((name) => name.startsWith('virtio'))
      .map((name) => virtio(boot, `${path}/${name}`)),
  };
}

const TRANSLATION_HEAD =
  'IOVA_PFN         \tPML5E             \tPML4E             \tPDPE              \tPDE               \tPTE\n';

/** Files of the IOMMU driver about itself. Their content is memory, so only what is short is kept. */
function translationFiles(boot: Recorded): Record<string, RawNode> {
  const dir = '/sys/kernel/debug/iommu/intel';
  // The newest is listed first.
  const files = boot
    .entries(dir)
    .filter((name) => !name.includes(':'))
    .reverse();
  return Object.fromEntries(
    files.map((name) => {
      const { content, mode } = boot.raw(`${dir}/${name}`) as RawNode;
      return [name, { content: content!.length < 200 ? content : '', size: 0, ...(mode && { mode }) }];
    }),
  );
}

/** The children of a recorded device that are in a class, by class. */
function virtio(boot: Recorded, path: string): Device {
  const name = path.split('/').at(-1)!;
  const variables = uevent(boot, path);
  return {
    name,
    bus: 'virtio',
    driver: boot.node(`${path}/driver`).target!.split('/').at(-1)!,
    variables: variables.filter((variable) => !variable.startsWith('DRIVER=')),
    nodes: boot.rawEntries(path, [...USUAL.filter((entry) => entry !== 'device'), 'block']),
    ...(boot.has(`${path}/block`) && {
      devices: boot.entries(`${path}/block`).map((disk) => ({
        name: disk,
        class: 'block',
        // A block device has no character device of its number.
        variables: uevent(boot, `${path}/block/${disk}`),
        nodes: boot.rawEntries(`${path}/block/${disk}`, USUAL),
      })),
    }),
  };
}

const uevent = (recorded: Recorded, path: string) =>
  recorded.text(`${path}/uevent`).split('\n').filter(Boolean);

/** The network interface that a card has while its driver is bound. */
function networkInterface(later: Recorded): Device {
  const path = `${ROOT}/0000:00:04.0/net/eth0`;
  const change = (text: string, name: string) => {
    if (name === 'ifindex' || name === 'iflink') return '{ifindex}\n';
    return MAC.test(text.trim()) ? '{mac}\n' : text;
  };
  const nodes = later.rawEntries(path, USUAL, change);
  const queues = nodes.queues as { entries: Record<string, RawNode> };
  for (const queue of Object.values(queues.entries)) queue.subsystem = 'queues';
  return { name: 'eth%d', class: 'net', variables: ['INTERFACE={name}', 'IFINDEX={ifindex}'], nodes };
}

/** The vendor driver of the recordings: the kernel's mdpy sample on PCI functions. */
const vgpuOracle = {
  module: 'vgpu_oracle',
  pciDriver: 'vgpu',
  mdevDriver: 'vgpu-vfio',
  policy: { rule: 'shared' as const, instances: 4, parameter: 'count' },
  parameters: [{ name: 'count', type: 'int' as const, initial: 4 }],
  binding: { enable: false },
  types: [
    ['vga', '640x480'],
    ['xga', '1024x768'],
    ['hd', '1920x1080'],
  ].map(([name, resolution]) => ({
    name: name!,
    prettyName: `mdpy-${name}`,
    description: `virtual display, ${resolution} framebuffer`,
    attributes: { 'vendor/resolution': `${resolution}\n` },
  })),
};
