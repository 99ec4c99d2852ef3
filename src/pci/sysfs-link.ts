/**
 * Files of PCI Express devices about their link (drivers/pci/pci-sysfs.c, drivers/pci/pcie/aspm.c): widths and speeds
 * from the link registers, and which power saving states the link may use.
 * @module
 */

import { kstrtobool } from '../lib/kstrtox.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciDevice } from './device.js';
import {
  PCI_CAP_ID_EXP,
  PCI_EXP_FLAGS,
  PCI_EXP_LNKCAP,
  PCI_EXP_LNKCAP_ASPM_L0S,
  PCI_EXP_LNKCAP_ASPM_L1,
  PCI_EXP_LNKCAP_CLKPM,
  PCI_EXP_LNKCAP2,
  PCI_EXP_LNKCTL,
  PCI_EXP_LNKCTL_CLKREQ_EN,
  PCI_EXP_LNKSTA,
  PCI_EXP_TYPE_RC_EC,
  PCI_EXP_TYPE_RC_END,
} from './regs.js';

/** By the number that a link register gives: 1 is 2.5 GT/s. */
const speeds = [
  'Unknown',
  '2.5 GT/s PCIe',
  '5.0 GT/s PCIe',
  '8.0 GT/s PCIe',
  '16.0 GT/s PCIe',
  '32.0 GT/s PCIe',
  '64.0 GT/s PCIe',
];
const WIDTH_UNKNOWN = 0xff;

interface Link {
  capabilities: number;
  capabilities2: number;
  control: number;
  status: number;
}

const NO_LINK: Link = { capabilities: 0, capabilities2: 0, control: 0, status: 0 };

/** The link registers; zeros for what a device inside the root complex does not have. */
function linkOf({ function: { config } }: PciDevice): Link {
  const express = config.findCapability(PCI_CAP_ID_EXP);
  const flags = config.u16(express + PCI_EXP_FLAGS);
  const type = (flags >> 4) & 0xf;
  if (type === PCI_EXP_TYPE_RC_END || type === PCI_EXP_TYPE_RC_EC) return NO_LINK;
  return {
    capabilities: config.u32(express + PCI_EXP_LNKCAP),
    // Version 1 of the capability ends before it.
    capabilities2: (flags & 0xf) >= 2 ? config.u32(express + PCI_EXP_LNKCAP2) : 0,
    control: config.u16(express + PCI_EXP_LNKCTL),
    status: config.u16(express + PCI_EXP_LNKSTA),
  };
}

function maxSpeed({ capabilities, capabilities2 }: Link): string {
  const vector = (capabilities2 >> 1) & 0x7f;
  return speeds[vector ? 32 - Math.clz32(vector) : capabilities & 0xf] ?? 'Unknown';
}

const isExpress = ({ function: { config } }: PciDevice) => config.findCapability(PCI_CAP_ID_EXP) !== 0;

export const pcieGroup = new AttributeGroup<PciDevice>({
  attributes: [
    { name: 'max_link_speed', mode: 0o444, show: (device) => `${maxSpeed(linkOf(device))}\n` },
    {
      name: 'max_link_width',
      mode: 0o444,
      show: (device) => {
        const { capabilities } = linkOf(device);
        return `${capabilities ? (capabilities >> 4) & 0x3f : WIDTH_UNKNOWN}\n`;
      },
    },
    {
      name: 'current_link_speed',
      mode: 0o444,
      show: (device) => `${speeds[linkOf(device).status & 0xf] ?? 'Unknown'}\n`,
    },
    {
      name: 'current_link_width',
      mode: 0o444,
      show: (device) => `${(linkOf(device).status >> 4) & 0x3f}\n`,
    },
  ],
  isVisible: isExpress,
});

/**
 * What the link above a device can do; 0 for a device without one. Power states take both ends; stopping the clock is
 * the device's own affair.
 */
function linkCapabilities(device: PciDevice): number {
  const above = device.pci.bridgeAbove(device);
  if (!above || !isExpress(device) || !isExpress(above)) return 0;
  const mine = linkOf(device).capabilities;
  return mine & (linkOf(above).capabilities | PCI_EXP_LNKCAP_CLKPM);
}

const states = {
  l0s_aspm: { capability: PCI_EXP_LNKCAP_ASPM_L0S, control: 0x1 },
  l1_aspm: { capability: PCI_EXP_LNKCAP_ASPM_L1, control: 0x2 },
  clkpm: { capability: PCI_EXP_LNKCAP_CLKPM, control: PCI_EXP_LNKCTL_CLKREQ_EN },
} as const;

type LinkState = keyof typeof states;

/** The `link` directory, which every device has and few have anything in. */
export const aspmGroup = new AttributeGroup<PciDevice>({
  name: 'link',
  attributes: (Object.keys(states) as LinkState[]).map((name) => ({
    name,
    mode: 0o644,
    show: (device) => `${linkOf(device).control & states[name].control ? 1 : 0}\n`,
    store: (device, text) => {
      const { config } = device.function;
      const control = config.findCapability(PCI_CAP_ID_EXP) + PCI_EXP_LNKCTL;
      const bit = states[name].control;
      if (kstrtobool(text)) config.update(control, bit);
      else config.update(control, 0, bit);
    },
  })),
  isVisible: (device, { name }) => (linkCapabilities(device) & states[name as LinkState].capability) !== 0,
});
