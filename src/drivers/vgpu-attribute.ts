/**
 * Attributes of vGPU devices from data: fixed texts, and texts that keep what is written to them.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import type { MdevDevice } from '../mdev/device.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { VgpuAttribute, VgpuTypeData } from './vgpu-data.js';

/** What the groups need to know of a device. */
export interface AttributeOwner {
  typeOf(mdev: MdevDevice): VgpuTypeData;
  /** What was last written to the attribute at a path, if anything was. */
  written(mdev: MdevDevice, path: string): string | undefined;
  write(mdev: MdevDevice, path: string, text: string): void;
}

const asAttribute = (attribute: string | VgpuAttribute): VgpuAttribute =>
  typeof attribute === 'string' ? { content: attribute, mode: '0444' } : attribute;

/** The attribute groups that devices of these types have, each device those of its own type. */
export function vgpuAttributeGroups(types: readonly VgpuTypeData[], owner: AttributeOwner): KernfsTemplate[] {
  const groups = new Map<string, Map<string, Attribute<MdevDevice>>>();
  for (const type of types) {
    for (const [path, attribute] of Object.entries(type.attributes)) {
      const [name = path, group = ''] = path.split('/').reverse();
      const inGroup = groups.get(group) ?? new Map();
      groups.set(group, inGroup);
      if (!inGroup.has(name)) inGroup.set(name, vgpuAttribute(path, name, asAttribute(attribute), owner));
    }
  }
  return [...groups].map(([group, attributes]) => {
    const pathOf = (name: string) => (group === '' ? name : `${group}/${name}`);
    return new AttributeGroup<MdevDevice>({
      ...(group !== '' && { name: group }),
      attributes: [...attributes.values()],
      isVisible: (mdev, { name }) => pathOf(name) in owner.typeOf(mdev).attributes,
    });
  });
}

function vgpuAttribute(
  path: string,
  name: string,
  { mode }: VgpuAttribute,
  owner: AttributeOwner,
): Attribute<MdevDevice> {
  const bits = Number.parseInt(mode, 8);
  return {
    name,
    mode: bits,
    ...(bits & 0o444 && {
      show(mdev: MdevDevice) {
        const initial = asAttribute(owner.typeOf(mdev).attributes[path] ?? '').content;
        return (
          owner.written(mdev, path) ??
          initial.replaceAll('{uuid}', mdev.uuid).replaceAll('{type}', mdev.mdevType.dir.name)
        );
      },
    }),
    ...(bits & 0o222 && {
      /** @throws EINVAL for a text that the type of the device does not take */
      store(mdev: MdevDevice, text: string) {
        const { pattern } = asAttribute(owner.typeOf(mdev).attributes[path] ?? '');
        if (pattern !== undefined && !new RegExp(`^(?:${pattern})\n?$`).test(text)) {
          throw new KernelError(Errno.EINVAL);
        }
        owner.write(mdev, path, text);
      },
    }),
  };
}
