/**
 * The objects of an iommufd (drivers/iommu/iommufd/main.c): address spaces, accesses and fault queues, each with a
 * number that user space names it by, the lowest free one from 1.
 *
 * An object counts who uses it; one that nothing but the table refers to can be destroyed.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import { Ida } from '../lib/ida.js';

export abstract class IommufdObject {
  /** References, the table's own among them. */
  users = 1;

  constructor(readonly id: number) {}

  /** The object has left the table. */
  abstract destroy(): void;
}

export class IommufdObjects {
  readonly #objects = new Map<number, IommufdObject>();
  readonly #ids = new Ida(1);
  /** Whoever made the first request: what the objects take counts as theirs. */
  payer: UserMemory | undefined;

  get empty(): boolean {
    return this.#objects.size === 0;
  }

  /**
   * Takes a number for an object that is being made; nobody finds it before {@link finalize}.
   * @throws ENOMEM beyond what the user may have kept
   */
  reserve(): number {
    this.payer?.charge?.(1);
    return this.#ids.alloc();
  }

  /** Gives back the number of an object that did not come to be. */
  abort(id: number): void {
    this.#free(id);
  }

  #free(id: number): void {
    this.#ids.free(id);
    this.payer?.charge?.(-1);
  }

  finalize(object: IommufdObject): void {
    this.#objects.set(object.id, object);
  }

  /** @throws ENOENT when there is no object of that number and kind */
  get<T extends IommufdObject>(id: number, kind: abstract new (...args: never[]) => T): T {
    const object = this.#objects.get(id);
    if (!(object instanceof kind)) throw new KernelError(Errno.ENOENT);
    return object;
  }

  /**
   * Destroys an object (`iommufd_object_remove`).
   * @throws ENOENT when there is none of that number; EBUSY when something uses it
   */
  remove(id: number): IommufdObject {
    const object = this.#objects.get(id);
    if (!object) throw new KernelError(Errno.ENOENT);
    if (object.users > 1) throw new KernelError(Errno.EBUSY);
    this.#objects.delete(id);
    this.#free(id);
    object.destroy();
    return object;
  }

  /** Destroys everything, users before what they use. */
  removeAll(): void {
    while (this.#objects.size > 0) {
      const leaves = [...this.#objects.values()].filter(({ users }) => users === 1);
      if (leaves.length === 0) throw new Error('iommufd: objects use each other');
      for (const { id } of leaves) this.remove(id);
    }
  }

  [Symbol.iterator](): IterableIterator<IommufdObject> {
    return this.#objects.values();
  }
}
