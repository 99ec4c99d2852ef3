/**
 * Attributes from data, of parents, types and devices: fixed texts, texts that keep what is written to them, and files
 * that only take what is written.
 * @module
 */

import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { VgpuAttribute, VgpuAttributes } from './vgpu-data.js';

/** What the groups need to know of the objects that have them. */
export interface AttributeOwner<T> {
  /** Those of one object, by NAME or GROUP/NAME. */
  of(owner: T): VgpuAttributes;
  /** Fills in the places of a text. */
  fill(owner: T, text: string): string;
  /** What was written lasts as long as this object. */
  life(owner: T): object;
  /** What was written, by that object and path. */
  readonly written: Written;
}

export type Written = WeakMap<object, Map<string, string>>;

const asAttribute = (attribute: string | VgpuAttribute): VgpuAttribute =>
  typeof attribute === 'string' ? { content: attribute, mode: '0444' } : attribute;

/**
 * The attribute groups of objects of a kind, each object showing its own.
 * @param kinds attributes of every kind of object that there is; the first that has one says its mode
 */
export function vgpuAttributeGroups<T>(
  kinds: readonly VgpuAttributes[],
  owner: AttributeOwner<T>,
): KernfsTemplate[] {
  const { written } = owner;
  const groups = new Map<string, Map<string, Attribute<T>>>();
  for (const kind of kinds) {
    for (const [path, attribute] of Object.entries(kind)) {
      const [name = path, group = ''] = path.split('/').reverse();
      const inGroup = groups.get(group) ?? new Map();
      groups.set(group, inGroup);
      if (!inGroup.has(name))
        inGroup.set(name, vgpuAttribute(path, name, asAttribute(attribute), owner, written));
    }
  }
  return [...groups].map(([group, attributes]) => {
    const pathOf = (name: string) => (group === '' ? name : `${group}/${name}`);
    return new AttributeGroup<T>({
      ...(group !== '' && { name: group }),
      attributes: [...attributes.values()],
      isVisible: (object, { name }) => pathOf(name) in owner.of(object),
      isGroupVisible: (object) => [...attributes.keys()].some((name) => pathOf(name) in owner.of(object)),
    });
  });
}

function vgpuAttribute<T>(
  path: string,
  name: string,
  { mode }: VgpuAttribute,
  owner: AttributeOwner<T>,
  written: Written,
): Attribute<T> {
  const bits = Number.parseInt(mode, 8);
  const attributeOf = (object: T) => asAttribute(owner.of(object)[path] ?? '');
  return {
    name,
    mode: bits,
    ...(bits & 0o444 && {
      show: (object: T) =>
        written.get(owner.life(object))?.get(path) ?? owner.fill(object, attributeOf(object).content),
    }),
    ...(bits & 0o222 && {
      /** @throws EINVAL for a text that the object does not take */
      store(object: T, text: string) {
        const { pattern } = attributeOf(object);
        if (pattern !== undefined && !new RegExp(`^(?:${pattern})\n?$`).test(text)) {
          throw new KernelError(Errno.EINVAL);
        }
        const life = owner.life(object);
        const texts = written.get(life) ?? new Map<string, string>();
        written.set(life, texts.set(path, text));
      },
    }),
  };
}
