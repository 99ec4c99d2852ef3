/**
 * Templates: entries that many directories have in common, made when somebody first looks at them. The list of
 * templates of a directory is immutable and shared by all directories that got the same templates in the same
 * order, so that a device's directory pays one pointer for all its attributes.
 * @module
 */

import type { KernfsNode, KernfsRoot } from './node.js';

/** Entries that come with a directory and are made on first lookup. `owner` is what the directory shows. */
export interface KernfsTemplate {
  /** Names present for this owner. */
  names(owner: unknown): Iterable<string>;
  has(name: string, owner: unknown): boolean;
  /** Makes the node for one of those names, or undefined when the name is none of them. */
  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined;
  /** How many of the names are directories. */
  directories(owner: unknown): number;
}

export class TemplateList {
  static readonly empty = new TemplateList([]);
  readonly #longer = new WeakMap<KernfsTemplate, TemplateList>();

  private constructor(readonly templates: readonly KernfsTemplate[]) {}

  plus(template: KernfsTemplate): TemplateList {
    let longer = this.#longer.get(template);
    if (!longer) {
      longer = new TemplateList([...this.templates, template]);
      this.#longer.set(template, longer);
    }
    return longer;
  }

  /** The list without a template, whether it is whole or has a name hidden. */
  minus(template: KernfsTemplate): TemplateList {
    return this.map_((t) => (wholeOf(t) === template ? undefined : t));
  }

  /** The list with one name of one template left out. */
  hiding(template: KernfsTemplate, name: string): TemplateList {
    return this.map_((t) => (t === template ? hidden(template, name) : t));
  }

  /** The template that has a name for this owner. */
  findName(name: string, owner: unknown): KernfsTemplate | undefined {
    return this.templates.find((template) => template.has(name, owner));
  }

  private map_(change: (template: KernfsTemplate) => KernfsTemplate | undefined): TemplateList {
    let list = TemplateList.empty;
    for (const template of this.templates) {
      const changed = change(template);
      if (changed) list = list.plus(changed);
    }
    return list;
  }
}

/** A template without one of its names. */
class HiddenName implements KernfsTemplate {
  constructor(
    readonly whole: KernfsTemplate,
    readonly hidden: string,
  ) {}

  names(owner: unknown): Iterable<string> {
    return [...this.whole.names(owner)].filter((name) => name !== this.hidden);
  }

  has(name: string, owner: unknown): boolean {
    return name !== this.hidden && this.whole.has(name, owner);
  }

  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined {
    return name === this.hidden ? undefined : this.whole.make(root, name, owner);
  }

  directories(owner: unknown): number {
    return this.whole.directories(owner);
  }
}

const hiddenNames = new WeakMap<KernfsTemplate, Map<string, HiddenName>>();

function hidden(template: KernfsTemplate, name: string): HiddenName {
  let byName = hiddenNames.get(template);
  if (!byName) {
    byName = new Map();
    hiddenNames.set(template, byName);
  }
  let without = byName.get(name);
  if (!without) {
    without = new HiddenName(template, name);
    byName.set(name, without);
  }
  return without;
}

function wholeOf(template: KernfsTemplate): KernfsTemplate {
  return template instanceof HiddenName ? wholeOf(template.whole) : template;
}
