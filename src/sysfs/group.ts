/**
 * Attribute groups (`struct attribute_group`, fs/sysfs/group.c): attributes that come and go together, in an
 * object's directory, or in a subdirectory when the group has a name. Whether an attribute is there at all can
 * depend on the object.
 * @module
 */

import { KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode, KernfsRoot } from '../kernfs/node.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { type Attribute, attributeFile, type BinAttribute } from './attribute.js';

export interface AttributeGroupOptions<T> {
  /** Name of the subdirectory; without it the attributes stand in the object's own directory. */
  name?: string;
  attributes: readonly (Attribute<T> | BinAttribute<T>)[];
  /** Whether an object has this attribute. */
  isVisible?(owner: T, attribute: Attribute<T> | BinAttribute<T>): boolean;
  /** Whether an object has the subdirectory (`SYSFS_GROUP_INVISIBLE`); without it every object has. */
  isGroupVisible?(owner: T): boolean;
}

/** The attributes of a group, standing in a directory. */
class Attributes<T> implements KernfsTemplate {
  readonly #byName: ReadonlyMap<string, Attribute<T> | BinAttribute<T>>;
  readonly #names: readonly string[];

  constructor(readonly options: AttributeGroupOptions<T>) {
    this.#byName = new Map(options.attributes.map((attribute) => [attribute.name, attribute]));
    this.#names = [...this.#byName.keys()];
  }

  names(owner: unknown): readonly string[] {
    const { isVisible } = this.options;
    if (!isVisible) return this.#names;
    return this.#names.filter((name) => isVisible(owner as T, this.#byName.get(name)!));
  }

  has(name: string, owner: unknown): boolean {
    const attribute = this.#byName.get(name);
    return attribute !== undefined && this.options.isVisible?.(owner as T, attribute) !== false;
  }

  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined {
    return this.has(name, owner) ? attributeFile(root, this.#byName.get(name)!, owner as T) : undefined;
  }

  directories(): number {
    return 0;
  }
}

/** A group of attributes of objects of type T, ready to be added to their directories. */
export class AttributeGroup<T> implements KernfsTemplate {
  readonly #attributes: Attributes<T>;
  readonly #names: readonly string[] | undefined;
  readonly #isGroupVisible: ((owner: T) => boolean) | undefined;

  constructor(options: AttributeGroupOptions<T>) {
    this.#attributes = new Attributes(options);
    this.#names = options.name === undefined ? undefined : [options.name];
    this.#isGroupVisible = options.isGroupVisible;
  }

  #visible(owner: unknown): boolean {
    return this.#isGroupVisible?.(owner as T) ?? true;
  }

  names(owner: unknown): readonly string[] {
    if (!this.#names) return this.#attributes.names(owner);
    return this.#visible(owner) ? this.#names : [];
  }

  has(name: string, owner: unknown): boolean {
    if (!this.#names) return this.#attributes.has(name, owner);
    return name === this.#names[0] && this.#visible(owner);
  }

  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined {
    if (!this.#names) return this.#attributes.make(root, name, owner);
    if (!this.has(name, owner)) return undefined;
    const dir = new KernfsDir(root, name, owner);
    dir.addTemplate(this.#attributes);
    return dir;
  }

  directories(owner: unknown): number {
    return this.#names && this.#visible(owner) ? 1 : 0;
  }
}
